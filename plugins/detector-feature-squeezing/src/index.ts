import { defineDetector } from '@gauntlet/core';
import { reduceDepth, softmax } from '@gauntlet/kit';
import { row, rows, type Tensor } from '@gauntlet/tensor';
import { z } from 'zod';
import { smoothByMedian } from './median.js';

/**
 * Feature squeezing (Xu et al. 2018, equations 1 and 2): with g the softmax of the scores, and over the squeezers s,
 *
 *     suspicion(x) = max over s of || g(x) - g(s(x)) ||_1
 *
 * which lies between 0 and 2.
 */
export default defineDetector({
  id: 'detector/feature-squeezing',
  summary: 'Turns away inputs whose scores change when they are squeezed.',
  cites: ['arXiv:1704.01155'],
  access: 'scores',
  backward: 'none',
  options: z.strictObject({
    bits: z.int().min(1).max(16).default(5).describe('the first squeezer keeps 2^bits levels of each value'),
    window: z
      .int()
      .min(2)
      .max(15)
      .default(2)
      .describe('the second takes the median of a square with sides of so many pixels'),
  }),
  async suspicion({ model, x, options: { bits, window } }) {
    const probabilities = async (points: Tensor) => {
      const scores = await model.scores(points);
      return Array.from({ length: rows(points) }, (_, i) => softmax(row(scores, i)));
    };
    const seen = await probabilities(x);
    const suspicion = new Float32Array(rows(x));
    for (const squeezed of [reduceDepth(x, bits, model.input.bounds), smoothByMedian(x, window)]) {
      (await probabilities(squeezed)).forEach((own, i) => {
        const far = own.reduce((sum, share, k) => sum + Math.abs(share - seen[i]![k]!), 0);
        suspicion[i] = Math.max(suspicion[i]!, far);
      });
    }
    return suspicion;
  },
});
