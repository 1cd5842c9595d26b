import { readFileSync } from 'node:fs';
import adapter from '@gauntlet/adapter-onnx';
import {
  type Evasion,
  evade,
  type Goal,
  type ModelSettings,
  type OpenModel,
  parseOptions,
} from '@gauntlet/core';
import npz from '@gauntlet/dataset-npz';
import { type BallNorm, take, type Tensor } from '@gauntlet/tensor';

/** A real model and real samples. */
export interface Subject {
  readonly model: OpenModel<'gradients'>;
  readonly x: Tensor;
  readonly y: Int32Array;
  readonly clean: Int32Array;
  readonly box: readonly [number, number];
}

/** A model file with samples of an npz file, each by its path from the root of the repository. */
export async function open(
  modelPath: string,
  dataPath: string,
  settings: Partial<ModelSettings> = {},
  samples = Infinity,
): Promise<Subject> {
  const bounds = settings.bounds ?? ([0, 1] as const);
  const model = (await adapter.open(modelPath, { bounds, ...settings })) as OpenModel<'gradients'>;
  const data = await npz.open(dataPath, { bounds, options: { x: 'x', y: 'y' } });
  const { x, y } = await data.batch(0, Math.min(samples, data.samples));
  return { model, x, y, clean: await model.labels(x), box: bounds };
}

/** How an attack is run on a subject. */
export interface Trial {
  readonly norm: BallNorm;
  readonly epsilon: number;
  readonly options?: Record<string, unknown>;
  readonly seed?: number;
  readonly goal?: Goal;
  readonly queries?: number;
  /** The model to craft on, where that is another one. */
  readonly surrogate?: OpenModel<'gradients'>;
  /** Whether what is found there is tried, and not what is crafted to the end. */
  readonly static?: boolean;
  /** Which samples, in which order; all by default. */
  readonly order?: readonly number[];
}

/** The samples that are wrong under the attack, ascending; misclassified ones are wrong before. */
export async function broken(subject: Subject, attack: Evasion, trial: Trial): Promise<number[]> {
  const { right, wrong, found } = await attacked(subject, attack, trial);
  return [...wrong, ...right.filter((_, k) => found.reached[k])].sort((a, b) => a - b);
}

/** How far the nearest point that the attack found is from each sample: 0 where it is misclassified, infinite where none was found. */
export async function nearest(
  subject: Subject,
  attack: Evasion,
  trial: Omit<Trial, 'epsilon'>,
): Promise<number[]> {
  const { right, found } = await attacked(subject, attack, { ...trial, epsilon: Infinity });
  const far = new Map(right.map((i, k) => [i, found.distance[k]!]));
  return (trial.order ?? [...subject.y.keys()]).map((i) => far.get(i) ?? 0);
}

async function attacked({ model, x, y, clean, box }: Subject, attack: Evasion, trial: Trial) {
  const order = trial.order ?? [...y.keys()];
  const right = order.filter((i) => clean[i] === y[i]);
  const found = await evade({
    attack,
    options: await parseOptions(attack.options, trial.options ?? {}, attack.id),
    model,
    x: take(x, right),
    ids: right,
    goal: trial.goal ?? { kind: 'untargeted', classes: Int32Array.from(right, (i) => y[i]!), confidence: 0 },
    clean: Int32Array.from(right, (i) => clean[i]!),
    norm: trial.norm,
    epsilon: trial.epsilon,
    box,
    queries: trial.queries ?? null,
    pool: async () => ({ x, labels: clean }),
    ...(trial.surrogate && { surrogate: trial.surrogate, static: trial.static ?? false }),
    restarts: 1,
    seed: trial.seed ?? 0,
    signal: new AbortController().signal,
  });
  return { right, wrong: order.filter((i) => clean[i] !== y[i]), found };
}

/** A recorded file, by its path from the root of the repository. */
export const record = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
