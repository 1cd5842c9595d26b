import { defineDetector, type Model } from '@gauntlet/core';
import { softmax } from '@gauntlet/kit';
import { like, row, rows } from '@gauntlet/tensor';
import { z } from 'zod';

/**
 * How far the answer moves when the input is rounded (Xu et al. 2018): the l1 distance of the probabilities. Write here what yours does, with
 * its paper.
 */
export default defineDetector({
  id: 'detector/__NAME__',
  summary: 'Suspects inputs whose answer changes when their values are rounded.',
  cites: ['arXiv:1704.01155'],
  access: 'scores',
  backward: 'none',
  options: z.strictObject({
    levels: z.int().min(2).default(8).describe('values that are kept when an input is rounded'),
  }),
  async suspicion({ model, x, options }) {
    const { scores } = model as Model<'scores'>;
    const [lo, hi] = model.input.bounds;
    const step = (hi - lo) / (options.levels - 1);
    const rounded = like(
      x,
      x.data.map((value) => Math.min(hi, lo + step * Math.round((value - lo) / step))),
    );
    const [before, after] = [await scores(x), await scores(rounded)];
    return Float32Array.from({ length: rows(x) }, (_, i) => {
      const [own, other] = [softmax(row(before, i)), softmax(row(after, i))];
      return own.reduce((sum, value, k) => sum + Math.abs(value - other[k]!), 0);
    });
  },
});
