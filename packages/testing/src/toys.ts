import type { GradientModel, Loss } from '@gauntlet/core';
import { evaluateLoss } from '@gauntlet/kit';
import { argmax, type BallNorm, like, norm, row, rows, stream, type Tensor, tensor } from '@gauntlet/tensor';

const { tanh } = Math;

/** A small model on the host, with samples that it classifies correctly. */
export interface Toy {
  readonly model: GradientModel;
  readonly x: Tensor;
  readonly y: Int32Array;
  readonly box: readonly [number, number];
}

/** A toy whose smallest breaking perturbation is known in closed form. */
export interface LinearToy extends Toy {
  /** The exact distance of sample `i` from the decision boundary, while the box does not bind. */
  distance(i: number, norm: BallNorm): number;
}

/** Scores of one sample, and what a derivative by them is by the sample. */
interface Differentiable {
  scores(x: Float32Array): Float64Array;
  pull(x: Float32Array, upstream: Float32Array): Float64Array;
}

/** A gradient model from a function of one sample and its derivative. */
export function scoreModel(
  facts: { name: string; inputs: number; classes: number; bounds?: readonly [number, number] },
  { scores, pull }: Differentiable,
): GradientModel {
  const all = (points: Tensor): Tensor => {
    const data = new Float32Array(rows(points) * facts.classes);
    for (let i = 0; i < rows(points); i++) data.set(scores(row(points, i)), i * facts.classes);
    return tensor(data, [rows(points), facts.classes]);
  };
  return {
    name: facts.name,
    input: { shape: [facts.inputs], bounds: facts.bounds ?? [0, 1] },
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
  };
}

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
    { name: 'linear toy', inputs, classes: 2 },
    {
      scores: (x) => Float64Array.from(bias, (b, k) => scale * (dot(w, k * inputs, x) + b) + shift),
      pull: (x, upstream) =>
        Float64Array.from(x, (_, j) => scale * (upstream[0]! * w[j]! + upstream[1]! * w[inputs + j]!)),
    },
  );
  const x = spread(samples, inputs, 'linear toy samples');
  const lead = (i: number) =>
    Math.abs(dot(w, 0, row(x, i)) + bias[0]! - dot(w, inputs, row(x, i)) - bias[1]!);
  const slope = Float64Array.from({ length: inputs }, (_, j) => w[j]! - w[inputs + j]!);
  const dual = { linf: 'l1', l2: 'l2', l1: 'linf' } as const;
  const y = Int32Array.from({ length: samples }, (_, i) => {
    const own = row(x, i);
    return dot(w, 0, own) + bias[0]! >= dot(w, inputs, own) + bias[1]! ? 0 : 1;
  });
  return { model, x, y, box: [0, 1], distance: (i, kind) => lead(i) / norm(slope, dual[kind]) };
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
    { name: 'curved toy', inputs, classes },
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
    },
  );
  const x = spread(samples, inputs, 'curved toy samples');
  const data = new Float32Array(samples * classes);
  for (let i = 0; i < samples; i++) data.set(scores(row(x, i)), i * classes);
  return { model, x, y: argmax(tensor(data, [samples, classes])), box: [0, 1] };
}
