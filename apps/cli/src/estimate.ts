import { type Assembled, DRAWS, type Extent, type Plan, runOf, type Step, unexpected } from '@gauntlet/core';

/** The most that an attack of a plan can ask and take. */
export interface Estimate {
  readonly attack: string;
  /** How often it is run on each sample: radii, for an attack within a budget, by restarts. */
  readonly runs: number;
  /** Points that are differentiated, and all that are asked about; null where the attack does not say and no budget of queries bounds it. */
  readonly gradients: number | null;
  readonly queries: number | null;
  readonly seconds: number | null;
}

/** The most that a plan can ask about its samples. Samples that are broken or misclassified end early, so that it may well be less. */
export const estimate = (
  { plan, steps }: Pick<Assembled, 'plan' | 'steps'>,
  paces: readonly number[],
): readonly Estimate[] =>
  steps.map((step, i) => {
    const radii =
      step.attack.finds === 'smallest' ? 1 : plan.threatModel.epsilons.filter((e) => e > 0).length;
    const { attack } = step;
    const asked = attack.kind === 'universal' ? byUniversal : byEvasion;
    const { queries, ...rest } = asked(plan, radii, step);
    return { attack: nameOf(step), ...rest, queries, seconds: queries === null ? null : queries * paces[i]! };
  });

type Asked = Pick<Estimate, 'runs' | 'gradients' | 'queries'>;

function byEvasion({ threatModel, restarts, data }: Plan, radii: number, { attack, options }: Step): Asked {
  const cost = attack.cost?.(options as never);
  const most = threatModel.queries ?? Infinity;
  // One point of each run is the engine's own: the final check.
  const bounded = (perRun: number) => {
    const points = Math.min(restarts * perRun, most);
    return points === Infinity ? null : data.samples * radii * points;
  };
  return {
    runs: radii * restarts,
    gradients: attack.access === 'gradients' ? bounded(cost?.gradients ?? Infinity) : 0,
    queries: bounded(cost === undefined ? Infinity : cost.queries + 1),
  };
}

/** It is fitted once for each radius, on other samples, and draws without restarts. */
function byUniversal({ threatModel, data, fit }: Plan, radii: number, { attack, options }: Step): Asked {
  const cost = attack.cost?.(options as never);
  const draws = Math.min(
    'random' in attack && attack.random === true ? DRAWS : 1,
    threatModel.queries ?? Infinity,
  );
  if (cost === undefined || fit === undefined) return { runs: radii, gradients: null, queries: null };
  return {
    runs: radii,
    gradients: radii * fit.samples * cost.gradients,
    queries: radii * (fit.samples * cost.queries + data.samples * draws),
  };
}

const nameOf = ({ attack, on }: Step) =>
  runOf({ attack: attack.id, ...(on !== undefined && { surrogate: on }) });

/** Fewer samples are taken than this only where there are no more. */
export const LEAST = 100;

/**
 * The largest extent that takes no longer than `budget` seconds. Samples go first, down to 100: that widens the interval, which is honest. Then restarts, one by
 * one, with as many samples as fit. Steps and other options of attacks stay: a weaker attack would make a model look robust.
 *
 * @param seconds that an extent takes: it rises with both numbers, and in proportion to samples.
 * @throws GauntletError `input` where even the least does not fit.
 */
export function fit(seconds: (extent: Extent) => number, whole: Extent, budget: number): Extent {
  const least = Math.min(LEAST, whole.samples);
  for (let { restarts } = whole; restarts >= 1; restarts--) {
    const each = seconds({ samples: 1, restarts });
    const samples = each === 0 ? whole.samples : Math.min(whole.samples, Math.floor(budget / each));
    if (samples >= least) return { samples, restarts };
  }
  const needed = seconds({ samples: least, restarts: 1 });
  throw unexpected({
    found: `${Math.floor(budget)} s`,
    at: '--budget',
    expected: `at least ${Math.ceil(needed)} s, for ${least} samples without restarts`,
    remedy: 'Allow more time, or fewer attacks and radii.',
  });
}

/** A plan of another extent: fewer samples, in order, or fewer restarts. */
export const withExtent = <A extends Pick<Assembled, 'plan'>>(
  assembled: A,
  { samples, restarts }: Extent,
): A => {
  const { plan } = assembled;
  const data = { ...plan.data, samples: Math.min(plan.data.samples, samples) };
  return { ...assembled, plan: { ...plan, data, restarts: Math.min(plan.restarts, restarts) } };
};

/** Fits plans into a budget of seconds together. @throws GauntletError `input` where an attack has no known cost, or nothing fits. */
export function fitAll(
  plans: readonly { readonly assembled: Assembled; readonly paces: readonly number[] }[],
  budget: number,
): Extent {
  const total = (extent: Extent) =>
    plans
      .flatMap(({ assembled, paces }) => estimate(withExtent(assembled, extent), paces))
      .reduce((sum, { attack, seconds }) => {
        if (seconds === null) throw unbounded(attack);
        return sum + seconds;
      }, 0);
  const most = (of: (assembled: Assembled) => number) =>
    Math.max(...plans.map(({ assembled }) => of(assembled)));
  const whole = {
    samples: most(({ plan }) => plan.data.samples),
    restarts: most(({ plan }) => plan.restarts),
  };
  return fit(total, whole, budget);
}

const unbounded = (attack: string) =>
  unexpected({
    found: `${attack}, which does not say what it costs,`,
    at: '--budget',
    expected: 'attacks whose cost is known before they run',
    remedy: 'Give each sample a budget of queries.',
  });
