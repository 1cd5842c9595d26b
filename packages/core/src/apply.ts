import { distance, NORMS, row, rowSize, take, type Tensor, within } from '@gauntlet/tensor';
import { tryArtifact } from './artifact.js';
import { type Clean, cleanAnswers } from './clean.js';
import type { Batch } from './dataset.js';
import { type Evaded, evade } from './evade.js';
import { type Goal, goalsFor } from './goal.js';
import { type Kept, keptOf } from './keep.js';
import type { Assembled, Plan, Step } from './plan.js';
import { type Row, runOf, type Verdict } from './row.js';
import type { Pool } from './starts.js';
import type { Tensors } from './training.js';
import type { Universal } from './universal.js';
import { DRAWS } from './watch.js';
import { STATIC } from './way.js';

/**
 * The rows of one attack on one batch, at one epsilon or (where it finds the smallest perturbation) at all: the unit of work that is
 * finished or not.
 */
export interface Shard {
  readonly key: string;
  readonly rows: readonly Row[];
  /** The clean sample of each row, and what came back for it: the clean one where the attack failed. */
  readonly x: Tensor;
  readonly adversarial: Tensor;
}

/** What running needs from outside. */
export interface Io {
  readonly signal: AbortSignal;
  /** Seconds, from any origin. */
  readonly now: () => number;
  /** Whether a shard was finished by an earlier run. */
  readonly done?: (key: string) => boolean;
  /** The clean answers of batches, by their first sample: what certifying asked for, attacks need not ask again. */
  readonly clean?: Map<number, Clean>;
  /** Keeps what universal attacks fit, so that a run that goes on has the same. */
  readonly artifacts?: {
    /** What was saved under the key, or null. */
    load(key: string): Promise<Kept | null>;
    /** Keeps it under the key, whole or not at all. */
    save(key: string, kept: Kept): Promise<void>;
  };
}

/** How many shards a plan has. */
export const shardCount = ({ plan, steps }: Assembled): number =>
  Math.ceil(plan.data.samples / plan.batchSize) * workOf(plan, steps).length;

/** One run of one attack on a batch, and the epsilons whose rows follow from it. */
interface Work {
  readonly step: Step;
  readonly epsilons: readonly number[];
  readonly name: string;
}

const workOf = ({ threatModel: { epsilons } }: Plan, steps: readonly Step[]): Work[] =>
  steps.flatMap((step) =>
    step.attack.finds === 'smallest'
      ? [{ step, epsilons, name: nameOf(step) }]
      : epsilons.map((epsilon) => ({ step, epsilons: [epsilon], name: `${nameOf(step)} ${epsilon}` })),
  );

const isUniversal = (step: Step): step is Step & { readonly attack: Universal } =>
  step.attack.kind === 'universal';

const nameOf = ({ attack, on }: Step) =>
  runOf({ attack: attack.id, ...(on !== undefined && { surrogate: on }) });

/** Runs a plan, shard by shard, in a fixed order. */
export async function* apply(assembled: Assembled, io: Io): AsyncGenerator<Shard> {
  const { plan, model, dataset, steps } = assembled;
  const work = workOf(plan, steps);
  // The same for every batch, so that no row depends on how the samples are cut into batches.
  const pool = once(() => poolOf(assembled));
  const kept = new Map(
    work.flatMap(({ name, step, epsilons: [epsilon = 0] }) =>
      isUniversal(step) ? [[name, once(() => keptOf(assembled, io, { name, step, epsilon }))] as const] : [],
    ),
  );
  for (let from = 0; from < plan.data.samples; from += plan.batchSize) {
    const open = work
      .map((one) => ({ ...one, key: `${one.name} ${from}` }))
      .filter(({ key }) => !io.done?.(key));
    if (open.length === 0) continue;
    const batch = await dataset.batch(from, Math.min(from + plan.batchSize, plan.data.samples));
    const clean = io.clean?.get(from) ?? (await cleanAnswers(model, batch, plan.seed));
    io.clean?.delete(from);
    const goal = goalsFor(plan, model.classes, batch, clean.scores);
    for (const one of open) {
      io.signal.throwIfAborted();
      yield await runShard(assembled, io, { ...one, batch, clean, goal, pool, kept: kept.get(one.name) });
    }
  }
}

/** The answer of the first call, for all calls. */
function once<T>(compute: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined;
  return () => (known ??= compute());
}

/** As many samples serve as starts for attacks that walk back from one. */
const POOL = 256;

async function poolOf(assembled: Assembled): Promise<Pool> {
  const { plan, model, dataset } = assembled;
  const batch = await dataset.batch(0, Math.min(POOL, plan.data.samples));
  return { x: batch.x, labels: (await cleanAnswers(model, batch, plan.seed)).labels };
}

interface ShardTask extends Work {
  readonly key: string;
  readonly batch: Batch;
  readonly clean: Clean;
  readonly goal: Goal;
  readonly pool: () => Promise<Pool>;
  /** What the attack has fitted, where it is universal. */
  readonly kept: (() => Promise<Kept>) | undefined;
}

/** Runs the attack of a shard on those of its samples that are tried. */
async function attacked(
  assembled: Assembled,
  io: Io,
  task: ShardTask & { readonly tried: readonly number[]; readonly artifact: Tensors },
): Promise<Evaded> {
  const { plan, model, surrogates } = assembled;
  const { step, batch, goal, epsilons, tried, artifact, pool } = task;
  const some = <T>(all: ArrayLike<T>) => tried.map((i) => all[i]!);
  const common = {
    ...plan.threatModel,
    ...step,
    model,
    x: take(batch.x, tried),
    ids: some(batch.ids),
    goal: { ...goal, classes: Int32Array.from(some(goal.classes)) },
    clean: Int32Array.from(some(task.clean.labels)),
    epsilon: step.attack.finds === 'smallest' ? Infinity : epsilons[0]!,
    seed: plan.seed,
    signal: io.signal,
  };
  const { attack } = step;
  if (attack.kind === 'universal') return tryArtifact({ ...common, attack, artifact });
  const surrogate = step.on && surrogates?.[step.on];
  const apart = surrogate && { surrogate, static: step.on === STATIC };
  return evade({ ...common, attack, ...apart, pool, restarts: plan.restarts });
}

async function runShard(assembled: Assembled, io: Io, task: ShardTask): Promise<Shard> {
  const { plan, model } = assembled;
  const clean = task.clean.labels;
  const { batch, goal, step, epsilons, key } = task;
  const { ids, x, y } = batch;
  const unattacked = Array.from(y, (label, i): Verdict => {
    if (goal.kind === 'targeted' && label === goal.classes[i]) return 'exempt';
    return clean[i] === label ? 'held' : 'misclassified';
  });
  const tried = unattacked.flatMap((verdict, i) => (verdict === 'held' ? [i] : []));
  // At epsilon 0, and where nothing is tried, nothing need be fitted.
  const fitted = tried.length > 0 && epsilons[0]! > 0 ? await task.kept?.() : undefined;
  const started = io.now();
  const run = { ...task, tried, artifact: fitted?.artifact ?? {} };
  const result = tried.length === 0 ? null : await attacked(assembled, io, run);
  const seconds = (io.now() - started) / Math.max(1, tried.length);
  const draws = isUniversal(step) && step.attack.random === true;
  const place = new Map(tried.map((i, k) => [i, k]));

  /** What the one result says about sample `i` at `epsilon`. */
  const fate = (i: number, epsilon: number) => {
    const k = place.get(i);
    const found = k !== undefined && result!.reached[k] ? row(result!.points, k) : null;
    const broken = found !== null && within(result!.distance[k!]!, epsilon);
    const given = broken && model.draw === undefined ? result!.scores.get(k!) : undefined;
    const scores = given && scoresOf([row(task.clean.scores!, i), given], y[i]!, result!.labels[k!]!);
    const failure = k === undefined ? undefined : result!.failures.get(k);
    return {
      point: broken ? found : row(x, i),
      facts: {
        adversarial: broken ? result!.labels[k!]! : clean[i]!,
        verdict: broken ? 'broken' : unattacked[i]!,
        distance: found === null ? null : distances(found, row(x, i)),
        ...(scores && { scores }),
        queries: k === undefined ? 0 : result!.queries[k]!,
        gradients: k === undefined ? 0 : result!.gradients[k]!,
        seconds: k === undefined ? 0 : seconds,
        ...(k !== undefined && result!.crafting && { crafting: countsOf(result!.crafting, k) }),
        ...(failure !== undefined && { failure }),
        ...(k !== undefined && fitted && { fit: fitted.cost }),
        ...(k !== undefined &&
          (draws || model.draw) && { votes: votesOf(result!, k, isUniversal(step) || broken) }),
        ...(task.clean.rejected !== null && { rejected: task.clean.rejected[i]! }),
      } as const,
    };
  };

  const every = epsilons.flatMap((epsilon) => ids.map((_, i) => ({ i, epsilon, ...fate(i, epsilon) })));
  const shape = [every.length, ...x.shape.slice(1)];
  const adversarial = { data: new Float32Array(every.length * rowSize(x)), shape };
  every.forEach(({ point }, place) => row(adversarial, place).set(point));
  return {
    key,
    x: take(
      x,
      every.map(({ i }) => i),
    ),
    adversarial,
    rows: every.map(({ i, epsilon, facts }): Row => ({
      model: plan.model.name,
      sample: ids[i]!,
      attack: step.attack.id,
      ...(step.on && { surrogate: step.on }),
      finds: step.attack.finds,
      norm: plan.threatModel.norm,
      epsilon,
      label: y[i]!,
      target: goal.kind === 'targeted' ? goal.classes[i]! : null,
      clean: clean[i]!,
      ...facts,
      seed: plan.seed,
    })),
  };
}

const countsOf = ({ queries, gradients }: NonNullable<Evaded['crafting']>, k: number) => ({
  queries: queries[k]!,
  gradients: gradients[k]!,
});

/** The votes on a point that counts, and how many draws were made in all. */
const votesOf = ({ votes }: Evaded, k: number, counts: boolean) => ({
  reached: counts ? votes.reached[k]! : 0,
  of: counts ? Math.min(DRAWS, votes.draws[k]!) : 0,
  spent: votes.draws[k]!,
});

const scoresOf = (
  [clean, adversarial]: readonly [Float32Array, Float32Array],
  label: number,
  answer: number,
): Row['scores'] => {
  const pair = (scores: Float32Array) => [short(scores[label]!), short(scores[answer]!)] as const;
  const pairs = { clean: pair(clean), adversarial: pair(adversarial) };
  return Object.values(pairs).flat().every(Number.isFinite) ? pairs : undefined;
};

const short = (value: number) => Number(value.toPrecision(5));

const distances = (a: Float32Array, b: Float32Array) =>
  Object.fromEntries(NORMS.map((norm) => [norm, distance(a, b, norm)])) as NonNullable<Row['distance']>;
