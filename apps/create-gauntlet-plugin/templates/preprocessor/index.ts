import { definePreprocessor } from '@gauntlet/core';
import { like } from '@gauntlet/tensor';
import { z } from 'zod';

/** Rounds every value to a few levels, evenly spread over the box (Xu et al. 2018, section 3.2). Write here what yours does, with its paper. */
export default definePreprocessor({
  id: 'defence/__NAME__',
  summary: 'Rounds each value to a few levels.',
  cites: ['arXiv:1704.01155'],
  backward: 'identity',
  options: z.strictObject({
    levels: z.int().min(2).max(65_536).default(8).describe('values that are kept'),
  }),
  async run({ x, input: { bounds }, options }) {
    const [lo, hi] = bounds;
    const step = (hi - lo) / (options.levels - 1);
    const round = (value: number) => Math.min(hi, lo + step * Math.round((value - lo) / step));
    return like(x, x.data.map(round));
  },
});
