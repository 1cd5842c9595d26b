import type { Dataset, GradientModel, Loss } from '@gauntlet/core';
import { evaluateLoss } from '@gauntlet/kit';
import {
  argmax,
  type BallNorm,
  like,
  norm,
  row,
  rows,
  stream,
  take,
  type Tensor,
  tensor,
} from '@gauntlet/tensor';

const { tanh } = Math;

/** A small model on the host, with samples that it classifies correctly. */
export interface Toy {
  readonly model: GradientModel;
  readonly x: Tensor;
  readonly y: Int32Array;
  readonly box: readonly [number, number];
}

/** The samples of a toy as a data set. */
export const datasetOf = ({ x, y }: Pick<Toy, 'x' | 'y'>): Dataset => ({
  name: 'toy.npz',
  fingerprint: 'toy',
  samples: y.length,
  shape: x.shape.slice(1),
  batch: async (from, to) => {
    const ids = Array.from({ length: to - from }, (_, i) => from + i);
    return { ids, x: take(x, ids), y: y.slice(from, to) };
  },
});

/** A toy whose smallest breaking perturbation is known in closed form. */
export interface LinearToy extends Toy {
  /** The exact distance of sample `i` from the decision boundary, while the box does not bind (in l0 it does: entries go to its edge). */
  distance(i: number, norm: BallNorm): number;
}

/** A classifier as functions of one sample. */
export interface Differentiable {
  /** One number per class. */
  scores(x: Float32Array): Float64Array;
  /** The derivative by `x` of the sum of scores times `upstream`, which has one number per class. */
  pull(x: Float32Array, upstream: Float32Array): Float64Array;
  /** By how much class `own` leads each class at least, anywhere between two corners. */
  leads?(lower: Float32Array, upper: Float32Array, own: number): Float64Array;
}

/** A gradient model from a function of one sample and its derivative. */
export function scoreModel(
  facts: { name: string; shape: readonly number[]; classes: number; bounds?: readonly [number, number] },
  { scores, pull, leads }: Differentiable,
): GradientModel {
  const each = (points: Tensor, answer: (i: number) => Float64Array): Tensor => {
    const data = new Float32Array(rows(points) * facts.classes);
    for (let i = 0; i < rows(points); i++) data.set(answer(i), i * facts.classes);
    return tensor(data, [rows(points), facts.classes]);
  };
  const all = (points: Tensor) => each(points, (i) => scores(row(points, i)));
  return {
    name: facts.name,
    input: { shape: facts.shape, bounds: facts.bounds ?? [0, 1] },
    classes: facts.classes,
    access: 'gradients',
    labels: async (points) => argmax(all(points)),
    scores: async (points) => all(points),
    async gradient(points, loss: Loss) {
      const given = all(points);
      const evaluated = evaluateLoss(loss, given);
      const gradient = like(points);
      for (let i = 0; i < rows(points); i++) {
        row(gradient, i).set(pull(row(points, i), row(evaluated.scoresGradient, i)));
      }
      return { scores: given, loss: evaluated.loss, gradient };
    },
    ...(leads && {
      leastLeads: async (lower, upper, own) =>
        each(lower, (i) => leads(row(lower, i), row(upper, i), own[i]!).map(downward)),
    }),
  };
}

/** Below what float64 or a rounding to float32 may have added. */
const downward = (value: number) => value - 1e-6 * (1 + Math.abs(value));

/** The least value of w x + bias between two corners. */
const least = (
  w: (j: number) => number,
  bias: number,
  lower: ArrayLike<number>,
  upper: ArrayLike<number>,
) => {
  let sum = bias;
  for (let j = 0; j < lower.length; j++) sum += w(j) * (w(j) > 0 ? lower[j]! : upper[j]!);
  return sum;
};

const normals = (n: number, ...keys: (string | number)[]) => {
  const random = stream(...keys);
  return Float64Array.from({ length: n }, () => random.normal());
};

const dot = (w: Float64Array, from: number, x: ArrayLike<number>) => {
  let sum = 0;
  for (let j = 0; j < x.length; j++) sum += w[from + j]! * x[j]!;
  return sum;
};

const spread = (samples: number, inputs: number, ...keys: string[]): Tensor => {
  const random = stream(...keys);
  const data = Float32Array.from({ length: samples * inputs }, () => 0.3 + 0.4 * random.uniform());
  return tensor(data, [samples, inputs]);
};

/** Two classes, separated by a hyperplane through the middle of the box: the optimum of every norm is known. */
export function linearToy(settings: { samples?: number; scale?: number; shift?: number } = {}): LinearToy {
  const { samples = 60, scale = 1, shift = 0 } = settings;
  const inputs = 20;
  const w = normals(2 * inputs, 'linear toy');
  const bias = [0, 1].map((k) => -0.5 * dot(w, k * inputs, new Float64Array(inputs).fill(1)));
  const model = scoreModel(
    { name: 'linear toy', shape: [inputs], classes: 2 },
    {
      scores: (x) => Float64Array.from(bias, (b, k) => scale * (dot(w, k * inputs, x) + b) + shift),
      pull: (x, upstream) =>
        Float64Array.from(x, (_, j) => scale * (upstream[0]! * w[j]! + upstream[1]! * w[inputs + j]!)),
      leads: (lower, upper, own) =>
        Float64Array.from(bias, (b, k) => {
          const apart = (j: number) => scale * (w[own * inputs + j]! - w[k * inputs + j]!);
          return least(apart, scale * (bias[own]! - b), lower, upper);
        }),
    },
  );
  const x = spread(samples, inputs, 'linear toy samples');
  const lead = (i: number) =>
    Math.abs(dot(w, 0, row(x, i)) + bias[0]! - dot(w, inputs, row(x, i)) - bias[1]!);
  const slope = Float64Array.from({ length: inputs }, (_, j) => w[j]! - w[inputs + j]!);
  const dual = { linf: 'l1', l2: 'l2', l1: 'linf' } as const;
  /** How many entries must go to the edge of the box, the most useful first. */
  const fewest = (i: number) => {
    const towards = y[i] === 0 ? -1 : 1;
    const gains = Array.from(
      slope,
      (s, j) => Math.abs(s) * (s * towards > 0 ? 1 - row(x, i)[j]! : row(x, i)[j]!),
    );
    gains.sort((a, b) => b - a);
    let left = lead(i);
    return 1 + gains.findIndex((gain) => (left -= gain) < 0);
  };
  const y = Int32Array.from({ length: samples }, (_, i) => {
    const own = row(x, i);
    return dot(w, 0, own) + bias[0]! >= dot(w, inputs, own) + bias[1]! ? 0 : 1;
  });
  return {
    model,
    x,
    y,
    box: [0, 1],
    distance: (i, kind) => (kind === 'l0' ? fewest(i) : lead(i) / norm(slope, dual[kind])),
  };
}

/** A two-layer network with curved boundaries between four classes. */
export function curvedToy(samples = 40): Toy {
  const [inputs, hidden, classes] = [16, 24, 4];
  const first = normals(hidden * inputs, 'curved toy, first layer');
  const second = normals(classes * hidden, 'curved toy, second layer');
  const active = (x: Float32Array) => {
    const centred = Float64Array.from(x, (value) => 2 * value - 1);
    return new Float64Array(hidden).map((_, h) => tanh(dot(first, h * inputs, centred)));
  };
  const scores = (x: Float32Array) => {
    const h = active(x);
    return new Float64Array(classes).map((_, k) => dot(second, k * hidden, h));
  };
  const model = scoreModel(
    { name: 'curved toy', shape: [inputs], classes },
    {
      scores,
      pull(x, upstream) {
        const h = active(x);
        const back = h.map((value, j) => {
          let sum = 0;
          for (let k = 0; k < classes; k++) sum += upstream[k]! * second[k * hidden + j]!;
          return sum * (1 - value * value);
        });
        return Float64Array.from(x, (_, i) => {
          let sum = 0;
          for (let j = 0; j < hidden; j++) sum += back[j]! * first[j * inputs + i]!;
          return 2 * sum;
        });
      },
      // Every hidden unit by itself (interval bounds), the difference of classes as one (Gowal et al. 2018, section 3).
      leads(lower, upper, own) {
        const centred = (side: Float32Array) => side.map((value) => 2 * value - 1);
        const [lo, hi] = [centred(lower), centred(upper)];
        const unit = (h: number, sign: number, from: Float32Array, to: Float32Array) =>
          Math.tanh(sign * least((j) => sign * first[h * inputs + j]!, 0, from, to));
        const below = Float64Array.from({ length: hidden }, (_, h) => unit(h, 1, lo, hi));
        const above = Float64Array.from({ length: hidden }, (_, h) => unit(h, -1, lo, hi));
        return Float64Array.from({ length: classes }, (_, k) =>
          least((h) => second[own * hidden + h]! - second[k * hidden + h]!, 0, below, above),
        );
      },
    },
  );
  const x = spread(samples, inputs, 'curved toy samples');
  const data = new Float32Array(samples * classes);
  for (let i = 0; i < samples; i++) data.set(scores(row(x, i)), i * classes);
  return { model, x, y: argmax(tensor(data, [samples, classes])), box: [0, 1] };
}

/**
 * Grey images of 8 x 8 pixels, each with one bright quarter, and a linear model that says which: it weighs the mean of each quarter, and beside it a
 * pattern of single pixels that natural images do not hold, but attacks find.
 */
export function imageToy(samples = 40): Toy {
  const [side, classes, inputs] = [8, 4, 64];
  const quarter = (j: number) => 2 * Number(j >= inputs / 2) + Number(j % side >= side / 2);
  // Stripes and chequers, one for each class: of columns, of rows, of both, and of both with a shift every two columns.
  const sign = (k: number, j: number) => 1 - 2 * (count1s(j & STRIPES[k]!) % 2);
  const w = Float64Array.from({ length: classes * inputs }, (_, at) => {
    const [k, j] = [Math.floor(at / inputs), at % inputs];
    return Number(quarter(j) === k) + 0.7 * sign(k, j);
  });
  const scores = (x: Float32Array) => Float64Array.from({ length: classes }, (_, k) => dot(w, k * inputs, x));
  const model = scoreModel(
    { name: 'image toy', shape: [1, side, side], classes },
    {
      scores,
      pull: (x, upstream) =>
        Float64Array.from(x, (_, j) => upstream.reduce((sum, u, k) => sum + u * w[k * inputs + j]!, 0)),
    },
  );
  const random = stream('image toy samples');
  const y = Int32Array.from({ length: samples }, (_, i) => i % classes);
  const data = Float32Array.from(
    { length: samples * inputs },
    (_, at) => (quarter(at % inputs) === y[Math.floor(at / inputs)] ? 0.8 : 0.15) + 0.05 * random.uniform(),
  );
  return { model, x: tensor(data, [samples, 1, side, side]), y, box: [0, 1] };
}

const STRIPES = [0b000001, 0b001000, 0b001001, 0b001011];
const count1s = (value: number): number => (value === 0 ? 0 : (value & 1) + count1s(value >> 1));
