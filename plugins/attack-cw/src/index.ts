import { defineAttack, lossAt, reachedByScores } from '@gauntlet/core';
import { hinge } from '@gauntlet/kit';
import { like, row, rowSize, take, type Tensor } from '@gauntlet/tensor';
import { z } from 'zod';

/**
 * The l2 attack of Carlini and Wagner (2017, sections V and VI-A). With x' = (tanh(w) + 1) / 2, which never leaves the box, Adam minimises
 *
 *     |x' - x|^2 + c max(max_{j != t} Z_j(x') - Z_t(x') + confidence, 0)
 *
 * (t is the target; untargeted, the two terms change places). A search finds the least weight c of each sample for which it succeeds: times ten until then, by halves afterwards.
 */
export default defineAttack({
  id: 'attack/cw',
  summary: 'The smallest l2 perturbation, by Adam on distance plus a weighted margin, searching the weight.',
  cites: ['arXiv:1608.04644'],
  access: 'gradients',
  norms: ['l2'],
  finds: 'smallest',
  byDefault: false,
  options: z.strictObject({
    binarySearchSteps: z.int().min(1).max(100).default(9).describe('weights that are tried for each sample'),
    maxIterations: z.int().min(1).max(100_000).default(1000).describe('steps of Adam for each weight'),
    learningRate: z.number().positive().max(10).default(0.01).describe('length of the steps of Adam'),
    initialConst: z.number().positive().default(0.001).describe('the first weight of the margin'),
    abortEarly: z.boolean().default(true).describe('go on to the next weight when the loss has settled'),
  }),
  cost({ binarySearchSteps, maxIterations }) {
    const steps = binarySearchSteps * maxIterations;
    return { gradients: steps, queries: steps };
  },
  async run({ model, x, goal, ball, options, active }) {
    const samples = [...goal.classes.keys()];
    const weights = samples.map(() => ({ least: 0, most: Infinity, tried: options.initialConst }));
    const loss = hinge(goal);
    const patience = Math.ceil(options.maxIterations / 10);
    let last = x;
    for (let search = 0; search < options.binarySearchSteps; search++) {
      const descent = adam(x, ball.box, options.learningRate);
      last = descent.points;
      const reached = new Set<number>();
      const settled = new Float64Array(samples.length).fill(Infinity);
      let running = samples.filter(active);
      for (let i = 0; i < options.maxIterations && running.length > 0; i++) {
        const points = take(descent.points, running);
        const answer = await model.gradient(points, lossAt(loss, running), { of: running });
        const hits = reachedByScores(goal, answer.scores, running);
        const total = running.map((sample, k) => {
          if (hits[k]) reached.add(sample);
          const { tried } = weights[sample]!;
          return descent.step(sample, row(answer.gradient, k), tried, i + 1) + tried * answer.loss[k]!;
        });
        const looks = options.abortEarly && i % patience === 0;
        running = running.filter((sample, k) => {
          if (!active(sample)) return false;
          if (!looks) return true;
          const better = total[k]! < 0.9999 * settled[sample]!;
          settled[sample] = total[k]!;
          return better;
        });
      }
      for (const sample of samples) {
        const weight = weights[sample]!;
        if (reached.has(sample)) weight.most = weight.tried;
        else weight.least = weight.tried;
        weight.tried = weight.most === Infinity ? 10 * weight.tried : (weight.least + weight.most) / 2;
      }
    }
    return last;
  },
});

/** Keeps the arctanh finite where an entry of x lies on the edge of the box. */
const INTERIOR = 0.999999;

/** Adam (Kingma and Ba 2015) on w, from the point where x' is x. Distances are measured in widths of the box. */
function adam(x: Tensor, [lo, hi]: readonly [number, number], rate: number) {
  const size = rowSize(x);
  const middle = (lo + hi) / 2;
  const half = (hi - lo) / 2;
  const w = x.data.map((value) => Math.atanh((INTERIOR * (value - middle)) / half));
  const first = new Float32Array(w.length);
  const second = new Float32Array(w.length);
  const points = like(
    x,
    w.map((value) => middle + half * Math.tanh(value)),
  );
  const { sqrt, tanh } = Math;
  return {
    points,
    /** One step of a sample; gives its squared distance before. */
    step(sample: number, gradient: Float32Array, weight: number, time: number): number {
      const scale = (rate * sqrt(1 - 0.999 ** time)) / (1 - 0.9 ** time);
      let squares = 0;
      for (let j = 0; j < size; j++) {
        const i = sample * size + j;
        const moved = points.data[i]! - x.data[i]!;
        const far = moved / (2 * half);
        squares += far * far;
        const t = (points.data[i]! - middle) / half;
        const g = (weight * gradient[j]! + far / half) * half * (1 - t * t);
        const m = (first[i] = 0.9 * first[i]! + 0.1 * g);
        const v = (second[i] = 0.999 * second[i]! + 0.001 * g * g);
        w[i] = w[i]! - (scale * m) / (sqrt(v) + 1e-8);
        points.data[i] = middle + half * tanh(w[i]!);
      }
      return squares;
    },
  };
}
