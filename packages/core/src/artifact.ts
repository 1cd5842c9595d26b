import { ball, type BallNorm, type Box, rows, stream, type Tensor, tensor } from '@gauntlet/tensor';
import { GauntletError } from './errors.js';
import type { Evaded } from './evade.js';
import type { Goal } from './goal.js';
import type { Access, GradientModel, Model } from './model.js';
import { copied, pointAt, setPoint } from './points.js';
import { shuffled } from './samples.js';
import type { Tensors } from './training.js';
import type { ApplyJob, FitBatch, FitData, FitJob, Universal } from './universal.js';
import { wall } from './wall.js';
import { DRAWS, nothingFound, watch } from './watch.js';

/** Samples by place, with what they shall reach. */
export interface FitSamples {
  readonly samples: number;
  /** The samples at these places, from 0 up to but without `samples`, in the order asked for. */
  at(places: readonly number[]): Promise<FitBatch>;
}

/** A universal attack, its options and its budget. */
export interface UniversalTask {
  readonly attack: Universal;
  /** Validated by the attack's schema. */
  readonly options: unknown;
  readonly model: Model<Access>;
  readonly norm: BallNorm;
  readonly epsilon: number;
  readonly box: Box;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** What fitting gave, and what was asked of the model for it, in points. */
export interface Fitted {
  readonly artifact: Tensors;
  readonly queries: number;
  readonly gradients: number;
}

/**
 * Fits a universal attack on samples: there is no goal that ends anything early.
 *
 * @throws GauntletError `internal` for an artifact with numbers that are not finite.
 */
export async function fitArtifact(task: UniversalTask & { readonly data: FitSamples }): Promise<Fitted> {
  const { attack, options, data, norm, epsilon, box, seed, signal } = task;
  const keys = ['fit', seed, attack.id, norm, epsilon];
  const spent = { queries: 0, gradients: 0 };
  const model = task.model.draw?.({ keys, ids: [] }) ?? task.model;
  const { shape } = model.input;
  const centre = tensor(new Float32Array(shape.reduce((product, n) => product * n, 1)), [1, ...shape]);
  const reach = box[1] - box[0];
  const job: FitJob = {
    model: counted(model as GradientModel, attack.access, spent, signal),
    data: { samples: data.samples, pass: passes(data, keys) },
    ball: ball({ norm, epsilon, centre, box: [-reach, reach] }),
    box,
    options,
    random: stream(...keys),
    signal,
  };
  const artifact = await attack.fit(job as FitJob<never, never>);
  signal.throwIfAborted();
  for (const [name, { data: numbers }] of Object.entries(artifact)) {
    const wrong = numbers.find((value) => !Number.isFinite(value));
    if (wrong === undefined) continue;
    throw new GauntletError(
      'internal',
      `Unexpected ${wrong} in '${name}' that ${attack.id} fitted, expected finite numbers. Keep its steps finite.`,
    );
  }
  return { artifact, ...spent };
}

/** Passes over samples in batches, each in an order that belongs to the keys and to how many there were before. */
function passes({ samples, at }: FitSamples, keys: readonly (string | number)[]): FitData['pass'] {
  let passed = 0;
  return async function* (size) {
    const order = shuffled(samples, ...keys, passed++);
    for (let from = 0; from < samples; from += size) yield at(order.slice(from, from + size));
  };
}

/** The model with its calls counted, and refused after an abort or beyond the declared access. */
function counted(
  model: GradientModel,
  access: Access,
  spent: { queries: number; gradients: number },
  signal: AbortSignal,
): Model<Access> {
  const ask = (points: Tensor) => {
    signal.throwIfAborted();
    spent.queries += rows(points);
  };
  const asked: GradientModel = {
    ...model,
    access,
    labels: async (points, of) => (ask(points), model.labels(points, of)),
    scores: async (points, of) => (ask(points), model.scores(points, of)),
    async gradient(points, loss, of) {
      ask(points);
      spent.gradients += rows(points);
      return model.gradient(points, loss, of);
    },
  };
  return wall(asked, access);
}

/**
 * Applies an artifact to samples on which it was not fitted, clips to ball and box, and asks the model. Where the attack or the model draws, this is
 * done several times, and a sample is broken where most of the draws reach the goal; `votes` says how many.
 */
export async function tryArtifact(
  task: UniversalTask & {
    readonly artifact: Tensors;
    readonly x: Tensor;
    /** Identify the samples' random streams, wherever they stand in a batch. */
    readonly ids: readonly (number | string)[];
    readonly goal: Goal;
    /** The model's answers on `x`. */
    readonly clean: Int32Array;
    /** The most queries for each sample: the most draws. */
    readonly queries?: number | null;
  },
): Promise<Evaded> {
  const { attack, artifact, options, x, ids, goal, clean, norm, epsilon, box, seed, signal } = task;
  const found = nothingFound(x, clean);
  const around = ball({ norm, epsilon, centre: x, box });
  const random = ids.map((id) => stream(seed, id, attack.id, epsilon));
  const model = task.model.draw?.({ keys: [seed, attack.id, norm, epsilon], ids }) ?? task.model;
  const draws = attack.random === true || task.model.draw !== undefined ? DRAWS : 1;
  const asked = epsilon > 0 ? Math.min(draws, task.queries ?? Infinity) : 0;
  for (let draw = 0; draw < asked; draw++) {
    const job: ApplyJob = { artifact, x: copied(x), options, random };
    const points = around.project(attack.apply(job as ApplyJob<never>));
    const one = nothingFound(x, clean);
    const { access, finds } = attack;
    const common = { model, access, finds, goal, ball: around, signal, active: () => true, budget: 1 };
    await watch({ ...common, found: one }).check(points);
    one.reached.forEach((hit, i) => {
      found.queries[i]!++;
      found.votes.draws[i]!++;
      if (!hit) return;
      if (found.votes.reached[i]!++ > 0) return;
      found.labels[i] = one.labels[i]!;
      found.distance[i] = one.distance[i]!;
      const scores = one.scores.get(i);
      if (scores !== undefined) found.scores.set(i, scores);
      setPoint(found.points, i, pointAt(one.points, i));
    });
  }
  found.reached.forEach((_, i) => (found.reached[i] = Number(2 * found.votes.reached[i]! > asked)));
  return { ...found, failures: new Map(), crafting: null };
}
