import { type Certified, count, counted, percent, range, short, shortName } from '@gauntlet/core';
import { clopperPearson } from '@gauntlet/kit';
import metric, { type CertifiedAccuracy } from '@gauntlet/metric-certified-accuracy';
import { chart, legend, type Line, styleOf } from './chart.js';
import { type Findings, grouped } from './findings.js';
import { html, type Markup } from './markup.js';
import { table } from './tables.js';

/** What a certifier proved. */
export interface Proven extends CertifiedAccuracy {
  readonly name: string;
  /** What its certificates are worth; not known before the run is finished. */
  readonly words: string | null;
  readonly certificates: readonly Certified[];
}

/** What was proven of a run, by each certifier. */
export const provenOf = ({ certificates, audit }: Findings['run']): readonly Proven[] =>
  [...grouped(certificates, ({ certifier }) => certifier)].map(([certifier, own]) => ({
    ...metric.over(own),
    name: shortName(certifier),
    words: audit?.certified?.find((one) => one.certifier === certifier)?.words ?? null,
    certificates: own,
  }));

/** Certified accuracy against the radius, for each certifier, and the numbers. Nothing where nothing was to be proven. */
export function provenSection({ run }: Findings): Markup | '' {
  const all = provenOf(run);
  if (all.length === 0) return '';
  const { norm, epsilons } = run.plan.threatModel;
  const curves = all.map((one) => curveOf(one.certificates));
  const most = Math.max(...epsilons, ...curves.map((curve) => curve.at(-1)!.radius)) || 1;
  const styles = all.map(({ name }, i) => ({ name, style: styleOf(i + 1) }));
  const ticks = [...new Set([0, ...epsilons, most])].map((radius) => ({
    at: radius / most,
    text: short(radius),
  }));
  const label = `Certified accuracy against radius in ${norm}, for each certifier`;
  return html`<section aria-labelledby="proven">
    <h2 id="proven">What is proven</h2>
    ${all.map(({ name, words, samples, abstained }) => {
      const none =
        abstained === 0 ? '' : ` No answer to ${counted(abstained, 'sample')}, which counts as wrong.`;
      return html`<p>By ${name}, of ${counted(samples, 'sample')}. ${words ?? ''}${none}</p>`;
    })}
    <figure>
      ${chart(
        { label, title: `radius (${norm})`, ticks },
        curves.map((curve, i) => lineOf(curve, { style: styles[i]!.style, most, samples: all[i]!.samples })),
      )}
      ${legend(styles)}
      <figcaption>
        The share of all samples that is answered correctly and proven to be so within each radius. Bands are
        95% intervals (Clopper-Pearson), the error of sampling only.
      </figcaption>
    </figure>
    ${table('Certified accuracy of each certifier at each radius', [...HEADS], rowsOf(all))}
  </section>`;
}

/** What the columns of `rowsOf` hold. */
export const HEADS = [
  'Certifier',
  'Epsilon',
  'Clean',
  'Certified',
  '95% interval',
  'Broken',
  'Unknown',
  'Mean radius',
] as const;

/** Certified accuracy of each certifier at each radius that was asked about, as text. */
export const rowsOf = (all: readonly Proven[]): readonly (readonly [name: string, ...string[]])[] =>
  all.flatMap(({ name, clean, meanRadius, at }) =>
    at.map(
      ({ epsilon, certified, interval, broken, unknown }) =>
        [
          name,
          short(epsilon),
          percent(clean),
          percent(certified),
          range(interval),
          count(broken),
          count(unknown),
          meanRadius === null ? '-' : short(meanRadius),
        ] as const,
    ),
  );

/** How many samples are proven at least so far: it falls behind each radius. */
interface Step {
  readonly radius: number;
  readonly proven: number;
}

/** As many steps are drawn at most. */
const MOST_STEPS = 200;

function curveOf(certificates: readonly Certified[]): readonly Step[] {
  const farthest = new Map<Certified['sample'], number>();
  for (const { sample, label, answer, certificate } of certificates) {
    if (answer !== label || certificate.outcome !== 'robust') continue;
    farthest.set(sample, Math.max(farthest.get(sample) ?? 0, certificate.radius));
  }
  const radii = [...farthest.values()].sort((a, b) => a - b);
  const steps = radii.flatMap((radius, i): Step[] =>
    radius === radii[i + 1] ? [] : [{ radius, proven: radii.length - 1 - i }],
  );
  const every = Math.ceil(steps.length / MOST_STEPS);
  const start = { radius: 0, proven: radii.length };
  const drawn = [start, ...steps.filter((_, i) => (steps.length - 1 - i) % every === 0)];
  const asked = Math.max(...certificates.map(({ epsilon }) => epsilon));
  if (drawn.at(-1)!.radius < asked) return [...drawn, { radius: asked, proven: 0 }];
  // Farther out than the last was proven nobody may have asked: the line ends there, and not at nothing.
  return [...drawn.slice(0, -1), { ...drawn.at(-1)!, proven: (drawn.at(-2) ?? start).proven }];
}

function lineOf(
  curve: readonly Step[],
  { style, most, samples }: { readonly style: string; readonly most: number; readonly samples: number },
): Line {
  const points = curve.map(({ radius, proven }) => ({
    at: radius / most,
    value: proven / samples,
    interval: clopperPearson(proven, samples),
  }));
  return { style, steps: true, points };
}
