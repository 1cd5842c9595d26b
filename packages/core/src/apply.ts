import { argmax, distance, NORMS, row, rows, stream, take, type Tensor } from '@gauntlet/tensor';
import type { Batch } from './dataset.js';
import { evade } from './evade.js';
import type { Goal } from './goal.js';
import { type Access, allows, type Model } from './model.js';
import type { Assembled, Plan, Step } from './plan.js';
import type { Row, Verdict } from './row.js';

/** The rows of one attack at one epsilon on one batch: the unit of work that is finished or not. */
export interface Shard {
  readonly key: string;
  readonly rows: readonly Row[];
  /** The clean samples, and what came back for each: the clean one where the attack failed. */
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
}

/** How many shards a plan has. */
export const shardCount = ({ data, batchSize, attacks, threatModel }: Plan): number =>
  Math.ceil(data.samples / batchSize) * attacks.length * threatModel.epsilons.length;

/** Runs a plan, shard by shard, in a fixed order. */
export async function* apply(assembled: Assembled, io: Io): AsyncGenerator<Shard> {
  const { plan, model, dataset, steps } = assembled;
  for (let from = 0; from < plan.data.samples; from += plan.batchSize) {
    const work = steps.flatMap((step) =>
      plan.threatModel.epsilons.map((epsilon) => ({
        step,
        epsilon,
        key: `${step.attack.id} ${epsilon} ${from}`,
      })),
    );
    const open = work.filter(({ key }) => !io.done?.(key));
    if (open.length === 0) continue;
    const batch = await dataset.batch(from, Math.min(from + plan.batchSize, plan.data.samples));
    const clean = await cleanAnswers(model, batch.x);
    const goal = goalsFor(plan, model.classes, batch, clean.scores);
    for (const { step, epsilon, key } of open) {
      io.signal.throwIfAborted();
      yield await runShard(assembled, io, { batch, clean: clean.labels, goal, step, epsilon, key });
    }
  }
}

async function cleanAnswers(
  model: Model<Access>,
  x: Tensor,
): Promise<{ labels: Int32Array; scores: Tensor | null }> {
  if (!allows(model.access, 'scores'))
    return { labels: await (model as Model<'labels'>).labels(x), scores: null };
  const scores = await (model as Model<'scores'>).scores(x);
  return { labels: argmax(scores), scores };
}

/** The class that each sample shall leave, or arrive at. */
function goalsFor(
  { threatModel, seed }: Plan,
  classes: number,
  { ids, y }: Batch,
  scores: Tensor | null,
): Goal {
  const { goal, confidence } = threatModel;
  if (goal.kind === 'untargeted') return { kind: 'untargeted', classes: y, confidence };
  const target = (label: number, i: number): number => {
    if (typeof goal.target === 'number') return goal.target;
    if (goal.target === 'next') return (label + 1) % classes;
    if (goal.target === 'random') {
      return (label + 1 + stream(seed, ids[i]!, 'target').integer(classes - 1)) % classes;
    }
    const own = row(scores!, i);
    return own.indexOf(own.reduce((least, value) => Math.min(least, value), Infinity));
  };
  return { kind: 'targeted', classes: y.map(target), confidence };
}

interface ShardTask {
  readonly batch: Batch;
  readonly clean: Int32Array;
  readonly goal: Goal;
  readonly step: Step;
  readonly epsilon: number;
  readonly key: string;
}

async function runShard({ plan, model }: Assembled, io: Io, task: ShardTask): Promise<Shard> {
  const { batch, clean, goal, step, epsilon, key } = task;
  const { ids, x, y } = batch;
  const started = io.now();
  const verdicts = Array.from(y, (label, i): Verdict => {
    if (goal.kind === 'targeted' && label === goal.classes[i]) return 'exempt';
    return clean[i] === label ? 'held' : 'misclassified';
  });
  const tried = verdicts.flatMap((verdict, i) => (verdict === 'held' ? [i] : []));
  const some = <T>(all: ArrayLike<T>) => tried.map((i) => all[i]!);

  const result =
    tried.length === 0
      ? null
      : await evade({
          ...plan.threatModel,
          ...step,
          model,
          x: take(x, tried),
          ids: some(ids),
          goal: { ...goal, classes: Int32Array.from(some(goal.classes)) },
          clean: Int32Array.from(some(clean)),
          epsilon,
          restarts: plan.restarts,
          seed: plan.seed,
          signal: io.signal,
        });

  const adversarial = { data: x.data.slice(), shape: x.shape };
  const seconds = (io.now() - started) / Math.max(1, tried.length);
  const answers = clean.slice();
  const spent = { queries: new Int32Array(rows(x)), gradients: new Int32Array(rows(x)) };
  tried.forEach((i, k) => {
    spent.queries[i] = result!.queries[k]!;
    spent.gradients[i] = result!.gradients[k]!;
    if (!result!.reached[k]) return;
    verdicts[i] = 'broken';
    answers[i] = result!.labels[k]!;
    row(adversarial, i).set(row(result!.points, k));
  });

  return {
    key,
    x,
    adversarial,
    rows: ids.map((sample, i): Row => ({
      sample,
      attack: step.attack.id,
      norm: plan.threatModel.norm,
      epsilon,
      label: y[i]!,
      target: goal.kind === 'targeted' ? goal.classes[i]! : null,
      clean: clean[i]!,
      adversarial: answers[i]!,
      verdict: verdicts[i]!,
      distance: verdicts[i] === 'broken' ? distances(row(adversarial, i), row(x, i)) : null,
      queries: spent.queries[i]!,
      gradients: spent.gradients[i]!,
      seconds: tried.includes(i) ? seconds : 0,
      seed: plan.seed,
    })),
  };
}

const distances = (a: Float32Array, b: Float32Array) =>
  Object.fromEntries(NORMS.map((norm) => [norm, distance(a, b, norm)])) as NonNullable<Row['distance']>;
