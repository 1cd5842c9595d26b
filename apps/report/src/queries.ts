import { count, percent, type Row, short } from '@gauntlet/core';
import metric from '@gauntlet/metric-queries-to-success';
import { chart, legend, type Line } from './chart.js';
import { type Findings, type Point, type Series, tried } from './findings.js';
import { html, type Markup } from './markup.js';
import { numbers } from './tables.js';

/** What breaking costs: the share of samples that is broken after so many queries, by attacks that stop at their first success. */
export function queriesSection({ attacks, worst, clean }: Findings): Markup {
  const epsilon = tellingEpsilon(worst, clean);
  const within = attacks.flatMap((series) => {
    const point = series.points.find((one) => one.epsilon === epsilon);
    return point?.rows.some(counts) ? [{ ...series, point }] : [];
  });
  const most = Math.max(2, ...within.flatMap(({ point }) => point.rows.filter(tried).map(spent)));
  const place = (queries: number) => Math.log(Math.max(1, queries)) / Math.log(most);
  const ticks = Array.from({ length: Math.floor(Math.log10(most)) + 1 }, (_, i) => ({
    at: place(10 ** i),
    text: count(10 ** i),
  }));
  const label = `Share of the tried samples that is broken against queries about each, at epsilon ${short(epsilon)}`;
  return html`<section aria-labelledby="queries">
    <h2 id="queries">Queries to success</h2>
    ${
      within.length === 0
        ? html`<p>No attack was run that stops at its first success.</p>`
        : html`<figure>
            ${chart(
              { label, title: 'queries about one sample (logarithmic)', ticks },
              within.map((one) => lineOf(one, place)),
            )}
            ${legend(within)}
            <figcaption>
              At epsilon ${short(epsilon)}, of those that were run the one at which nearest to half of the
              samples break. Attacks that look for the smallest perturbation go on after their first success
              and are left out.
            </figcaption>
          </figure>`
    }
    ${numbers(
      'Queries in numbers',
      ['Attack', 'Epsilon', 'Tried', 'Broken', 'Median to success', 'Mean to success', 'Spent in all'],
      attacks.flatMap(({ name, points }) =>
        points.map(({ epsilon: own, rows, broken, queries }) => {
          const { median, mean } = metric.over(rows);
          return [
            name,
            short(own),
            count(rows.filter(tried).length),
            count(broken),
            median === null ? '-' : short(median),
            mean === null ? '-' : short(mean),
            count(queries),
          ];
        }),
      ),
    )}
  </section>`;
}

/** Whether the queries of a row say what success costs: its attack stops there, and asks the system under test itself. */
const counts = (row: Row) => row.finds === 'within-budget' && row.surrogate === undefined && tried(row);

const spent = ({ queries }: Row) => queries;

function tellingEpsilon({ points }: Series, clean: number): number {
  const off = ({ robustAccuracy }: Point) => Math.abs((robustAccuracy ?? 1) - clean / 2);
  return points.reduce((best, point) => (off(point) < off(best) ? point : best)).epsilon;
}

function lineOf(
  { name, style, point }: Series & { readonly point: Point },
  place: (queries: number) => number,
): Line {
  const all = point.rows.filter(tried);
  const costs = all.flatMap((row) => (row.verdict === 'broken' ? [row.queries] : [])).sort((a, b) => a - b);
  const steps = costs.flatMap((queries, i) =>
    queries === costs[i + 1] ? [] : [{ at: place(queries), value: (i + 1) / all.length }],
  );
  const end = {
    at: 1,
    value: costs.length / all.length,
    title: `${name}: ${percent(costs.length / all.length)} broken`,
  };
  return { style, steps: true, points: [{ at: 0, value: 0 }, ...thinned(steps), end] };
}

/** As many points as can be told apart. */
function thinned<T extends { readonly at: number }>(points: readonly T[]): readonly T[] {
  const places = new Map(points.map((point) => [Math.round(point.at * 600), point]));
  return [...places.values()];
}
