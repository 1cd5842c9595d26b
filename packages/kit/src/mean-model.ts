import type { Access, GradientModel, Model, ModelFacts } from '@gauntlet/core';
import { add, argmax, like, row, rows, type Tensor } from '@gauntlet/tensor';
import { evaluateLoss } from './evaluate.js';
import { weighted } from './losses.js';

/** What is averaged: scores as they are, or the probabilities that a softmax makes of them. */
export type MeanOf = 'logits' | 'probabilities';

/** A model, and the points that it is asked about. */
export interface Part {
  readonly model: Model<Access>;
  readonly points: Tensor;
}

/**
 * The model whose scores are the mean of what its parts answer: other models on the same points, or one model on points with noise. A mean of
 * probabilities is given as its logarithm, so that a softmax of the scores is the mean.
 *
 * The gradient is exact: the loss and its derivative by the mean are found on the host, that is pulled back to the scores of each
 * part, and each part pulls it back to its points (a gradient of its `weighted` scores).
 *
 * @param facts of the model that comes out; those of its parts must offer as much.
 * @param partsOf the parts of a call: point `i` of each stands for point `i` of the call, which belongs to sample `of[i]`.
 */
export function meanModel(
  facts: ModelFacts,
  mean: MeanOf,
  partsOf: (points: Tensor, of: readonly number[]) => readonly Part[],
): GradientModel {
  const ask = async (points: Tensor, of: readonly number[]) => {
    const parts = partsOf(points, of);
    const scores: Tensor[] = [];
    for (const part of parts) scores.push(await (part.model as GradientModel).scores(part.points, { of }));
    return { parts, ...MEANS[mean](scores) };
  };
  const scores = async (points: Tensor, of: readonly number[]) => (await ask(points, of)).scores;
  return {
    ...facts,
    labels: async (points, { of = everyone(points) } = {}) => argmax(await scores(points, of)),
    scores: (points, { of = everyone(points) } = {}) => scores(points, of),
    async gradient(points, loss, { of = everyone(points) } = {}) {
      const asked = await ask(points, of);
      const { loss: values, scoresGradient } = evaluateLoss(loss, asked.scores);
      let gradient = like(points);
      for (const [i, upstream] of asked.pull(scoresGradient).entries()) {
        const part = asked.parts[i]!;
        const own = await (part.model as GradientModel).gradient(part.points, weighted(upstream), { of });
        gradient = add(gradient, own.gradient);
      }
      return { scores: asked.scores, loss: values, gradient };
    },
  };
}

const everyone = (points: Tensor) => Array.from({ length: rows(points) }, (_, i) => i);

/** A mean of the parts' scores, and how a derivative by it becomes one by the scores of each part. */
interface Mean {
  readonly scores: Tensor;
  pull(upstream: Tensor): Tensor[];
}

const MEANS: Readonly<Record<MeanOf, (parts: readonly Tensor[]) => Mean>> = {
  logits(parts) {
    const share = 1 / parts.length;
    const scores = like(parts[0]!);
    scores.data.forEach(
      (_, i) => (scores.data[i] = share * parts.reduce((sum, one) => sum + one.data[i]!, 0)),
    );
    const pull = (upstream: Tensor) =>
      parts.map(() =>
        like(
          upstream,
          upstream.data.map((value) => share * value),
        ),
      );
    return { scores, pull };
  },

  /**
   * With p_m the softmax of part m's scores z_m and s_k = log(mean over m of p_mk): ds_k / dz_mj = r_mk ([j = k] - p_mj), where
   * r_mk = p_mk / (sum over m of p_mk). Everything from logarithms, so that nothing saturates.
   */
  probabilities(parts) {
    const logs = parts.map(logSoftmax);
    const scores = like(parts[0]!);
    scores.data.forEach((_, i) => {
      const own = logs.map((one) => one[i]!);
      scores.data[i] = logSumExp(own) - Math.log(parts.length);
    });
    const pull = (upstream: Tensor) =>
      logs.map((own, m) => {
        const result = like(upstream);
        for (let i = 0; i < rows(upstream); i++) {
          const at = i * upstream.shape[1]!;
          const into = row(result, i);
          let total = 0;
          row(upstream, i).forEach((value, k) => {
            const every = logs.map((one) => one[at + k]!);
            const flow = value * Math.exp(every[m]! - logSumExp(every));
            total += flow;
            into[k] = flow;
          });
          into.forEach((flow, j) => (into[j] = flow - total * Math.exp(own[at + j]!)));
        }
        return result;
      });
    return { scores, pull };
  },
};

function logSumExp(values: ArrayLike<number>): number {
  let top = -Infinity;
  for (let i = 0; i < values.length; i++) top = Math.max(top, values[i]!);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i]! - top);
  return top + Math.log(sum);
}

/** In float64, row after row. */
function logSoftmax(scores: Tensor): Float64Array {
  const result = new Float64Array(scores.data.length);
  for (let i = 0; i < rows(scores); i++) {
    const own = row(scores, i);
    const whole = logSumExp(own);
    own.forEach((value, k) => (result[i * own.length + k] = value - whole));
  }
  return result;
}
