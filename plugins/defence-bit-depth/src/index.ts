import { definePreprocessor } from '@gauntlet/core';
import { reduceDepth } from '@gauntlet/kit';
import { z } from 'zod';

/**
 * Bit-depth reduction (Xu et al. 2018, section 3.2): every value moves to the nearest of 2^bits levels, evenly spread over the box.
 * Its derivative is zero wherever it exists, so gradients pass as through the identity.
 */
export default definePreprocessor({
  id: 'defence/bit-depth',
  summary: 'Moves each value to the nearest of a few levels.',
  cites: ['arXiv:1704.01155'],
  backward: 'identity',
  options: z.strictObject({
    bits: z.int().min(1).max(16).default(3).describe('2^bits levels are kept'),
  }),
  async run({ x, input: { bounds }, options }) {
    return reduceDepth(x, options.bits, bounds);
  },
});
