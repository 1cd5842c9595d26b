import { count, duration, percent, range, short } from '@gauntlet/core';
import { chart, legend, type Line } from './chart.js';
import type { Findings, Series } from './findings.js';
import { html, type Markup } from './markup.js';
import { table } from './tables.js';

/** Robust accuracy against epsilon, for the worst case and each attack, with 95% bands, and the numbers. */
export function accuracySection(findings: Findings): Markup {
  const { run, worst, attacks, targeted } = findings;
  const { norm, epsilons } = run.plan.threatModel;
  const series = [worst, ...attacks];
  const most = Math.max(...epsilons) || 1;
  const ticks = [...new Set([0, ...epsilons])].map((epsilon) => ({
    at: epsilon / most,
    text: short(epsilon),
  }));
  const label = `Robust accuracy against epsilon in ${norm}, for the worst case and each attack`;
  return html`<section aria-labelledby="accuracy">
    <h2 id="accuracy">Accuracy under attack</h2>
    <figure>
      ${chart(
        { label, title: `epsilon (${norm})`, ticks },
        series.map((one) => lineOf(one, most, findings)),
      )}
      ${legend(series)}
      <figcaption>
        Bands are 95% intervals (Clopper-Pearson), the error of sampling only. The worst case counts a sample
        as broken if any attack found a point within epsilon, at whichever epsilon it was run.
        ${targeted ? 'Accuracy is the share that was not driven to its target, of the samples that were tried.' : ''}
      </figcaption>
    </figure>
    ${table(
      'Robust accuracy of each attack at each epsilon',
      [
        'Attack',
        'Epsilon',
        'Samples',
        'Robust',
        '95% interval',
        'Median distance',
        'Broken',
        'Queries',
        'Time',
      ],
      series.flatMap(({ name, points }) =>
        points.map((point) => [
          name,
          short(point.epsilon),
          count(point.rows.length),
          percent(point.robustAccuracy),
          range(point.interval),
          point.distance === null ? '-' : short(point.distance.median),
          count(point.broken),
          count(point.queries),
          duration(point.seconds),
        ]),
      ),
    )}
  </section>`;
}

function lineOf(
  { name, style, points }: Series,
  most: number,
  { targeted, clean, cleanInterval }: Findings,
): Line {
  const known = points.flatMap(({ epsilon, robustAccuracy, interval }) => {
    if (robustAccuracy === null) return [];
    const title = `${name} at ${short(epsilon)}: ${percent(robustAccuracy)}, ${range(interval)}`;
    return [{ at: epsilon / most, value: robustAccuracy, interval, title }];
  });
  // The ball of radius 0 is the input alone: what is left there is the clean accuracy.
  const start = targeted || known[0]?.at === 0 ? [] : [{ at: 0, value: clean, interval: cleanInterval }];
  return { style, points: [...start, ...known] };
}
