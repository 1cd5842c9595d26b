import { defineUniversal } from '@gauntlet/core';
import { atMost, logOdds, planesOf } from '@gauntlet/kit';
import { like, row, rows, type Stream, type Tensor, tensor } from '@gauntlet/tensor';
import { z } from 'zod';
import { type Looks, place, type Placement, sideOf } from './placement.js';

const { max, min, sign } = Math;

/**
 * An adversarial patch (Brown et al. 2017, equation 1), fitted by expectation over transformation: with A(p, x, l, t) the sample x under the patch p
 * at place l, turned and scaled by t,
 *
 *     p <- clip(p + step sign(sum over i of grad_p min(loss(A(p, x_i, l_i, t_i)), beta)))
 *
 * with l and t drawn anew for each sample of each step. The budget is the l0 ball: the patch is the largest that covers so many numbers.
 */
export default defineUniversal({
  id: 'attack/patch',
  summary: 'One patch for all inputs, that misleads wherever it lies.',
  cites: ['arXiv:1712.09665'],
  access: 'gradients',
  norms: ['l0'],
  random: true,
  options: z.strictObject({
    shape: z.enum(['square', 'circle']).default('square').describe('what the patch looks like'),
    rotation: z
      .number()
      .min(0)
      .max(180)
      .default(22.5)
      .describe('it is turned by at most so many degrees, either way'),
    scale: z
      .number()
      .positive()
      .max(1)
      .default(0.8)
      .describe('it is shrunk to this share of its side, at the most'),
    epochs: z.int().min(1).max(100_000).default(20).describe('passes over the samples to fit on'),
    batchSize: z.int().min(1).max(1_000_000).default(50).describe('samples of each step'),
    stepSize: z.number().positive().max(1).default(0.1).describe('step length as a share of the box'),
    beta: z.number().default(9).describe('what the loss of a sample is capped at'),
  }),
  cost: ({ epochs }) => ({ gradients: epochs, queries: epochs }),
  async fit({ model, data, ball, box: [lo, hi], options, random }) {
    const { shape } = model.input;
    const { channels, height, width } = planesOf(shape);
    const side = sideOf(options.shape, ball.epsilon / channels, min(height, width));
    const texels = Float32Array.from(
      { length: channels * side * side },
      () => lo + (hi - lo) * random.uniform(),
    );
    const patch = tensor(texels, [1, channels, side, side]);
    for (let epoch = 0; side > 0 && epoch < options.epochs; epoch++) {
      for await (const { x, goal } of data.pass(options.batchSize)) {
        const places = placed(
          x,
          patch,
          options,
          Array.from({ length: rows(x) }, () => random),
        );
        const loss = atMost(logOdds(goal), options.beta);
        const { gradient } = await model.gradient(covered(x, patch, places), loss);
        const sum = new Float64Array(texels.length);
        places.forEach(({ entries, from }, i) => {
          const own = row(gradient, i);
          entries.forEach((entry, k) => (sum[from[k]!]! += own[entry]!));
        });
        sum.forEach((value, t) => {
          texels[t] = max(lo, min(hi, texels[t]! + options.stepSize * (hi - lo) * sign(value)));
        });
      }
    }
    return { patch };
  },
  apply({ artifact, x, options, random }) {
    const patch = artifact['patch']!;
    return covered(x, patch, placed(x, patch, options, random));
  },
});

/** Where the patch lies on each sample. */
const placed = (x: Tensor, patch: Tensor, looks: Looks, random: readonly Stream[]): Placement[] =>
  random.map((own) => place(planesOf(x.shape.slice(1)), patch.shape[3]!, looks, own));

/** Every sample with the patch over it. */
function covered(x: Tensor, patch: Tensor, places: readonly Placement[]): Tensor {
  const all = like(x, x.data.slice());
  places.forEach(({ entries, from }, i) => {
    const own = row(all, i);
    entries.forEach((entry, k) => (own[entry] = patch.data[from[k]!]!));
  });
  return all;
}
