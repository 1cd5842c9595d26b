import {
  type Access,
  apply,
  type Assembled,
  type GradientModel,
  type Model,
  type Step,
} from '@gauntlet/core';
import { rows, type Tensor } from '@gauntlet/tensor';

/** Seconds for which an attack is tried. */
const EACH = 0.5;

/** How often at most: once would not do for an attack that makes one call of each kind. */
const ROUNDS = 2;

/** Ends a trial from inside. */
const OVER = Symbol('the trial is over');

/**
 * Seconds for each point that an attack asks about, what the attack does between two calls included: it is run for a moment, as the audit will run it, at the
 * smallest radius. The first call of each kind, which also makes what it needs, does not count. 0 where nothing is asked.
 */
export async function paceOf(assembled: Assembled, step: Step, now: () => number): Promise<number> {
  const { plan, model, surrogates } = assembled;
  const { threatModel } = plan;
  const smallest = threatModel.epsilons.find((epsilon) => epsilon > 0) ?? 0;
  const watch = stopwatch(now);
  const trial: Assembled = {
    ...assembled,
    plan: { ...plan, threatModel: { ...threatModel, epsilons: [smallest] } },
    model: watch.timed(model),
    ...(surrogates && {
      surrogates: Object.fromEntries(
        Object.entries(surrogates).map(([name, one]) => [name, watch.timed(one)] as const),
      ),
    }),
    steps: [step],
  };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const shards = apply(trial, { now, signal: new AbortController().signal });
      while (!(await shards.next()).done);
    }
  } catch (error) {
    if (error !== OVER) throw error;
  }
  return watch.pace();
}

/** Counts points and the time from each call to the next. */
function stopwatch(now: () => number) {
  const started = now();
  const seen = new Set<string>();
  const counted = { points: 0, seconds: 0 };
  const all = { points: 0 };
  let open: { readonly from: number; readonly points: number } | undefined;
  const close = () => {
    if (open === undefined) return;
    counted.points += open.points;
    counted.seconds += now() - open.from;
    open = undefined;
  };
  const before = (kind: string, points: Tensor) => {
    close();
    const first = !seen.has(kind);
    if (!first && now() - started > EACH) throw OVER;
    seen.add(kind);
    all.points += rows(points);
    if (!first) open = { from: now(), points: rows(points) };
  };
  const timed = (model: Model<Access>): Model<Access> => {
    const from = model as GradientModel;
    return {
      ...from,
      ...(model.draw && { draw: (noise) => timed(model.draw!(noise)) }),
      labels(points, of) {
        before('labels', points);
        return from.labels(points, of);
      },
      scores(points, of) {
        before('scores', points);
        return from.scores(points, of);
      },
      gradient(points, loss, of) {
        before('gradient', points);
        return from.gradient(points, loss, of);
      },
    } satisfies GradientModel as Model<Access>;
  };
  return {
    timed,
    pace() {
      close();
      if (counted.points > 0) return counted.seconds / counted.points;
      return all.points > 0 ? (now() - started) / all.points : 0;
    },
  };
}
