import { definePreprocessor } from '@gauntlet/core';
import { like } from '@gauntlet/tensor';
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
    const [lo, hi] = bounds;
    const steps = 2 ** options.bits - 1;
    const level = (value: number) => Math.round(((value - lo) / (hi - lo)) * steps);
    // Rounding to float32 may not leave the box, whose edges are float32 numbers themselves.
    const within = (value: number) => Math.min(Math.max(value, Math.fround(lo)), Math.fround(hi));
    return like(
      x,
      x.data.map((value) => within(lo + (level(value) / steps) * (hi - lo))),
    );
  },
});
