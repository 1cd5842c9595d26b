import { defineUniversal } from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { type Box, like, take, type Tensor } from '@gauntlet/tensor';
import { z } from 'zod';

/**
 * One perturbation for all inputs, by steps along the sum of gradients over batches of samples (Shafahi et al. 2020, algorithm 2). Write here what
 * yours fits, with its paper.
 */
export default defineUniversal({
  id: 'attack/__NAME__',
  summary: 'One perturbation for all inputs, fitted on some of them.',
  cites: ['arXiv:1811.11304'],
  access: 'gradients',
  norms: ['linf', 'l2'],
  options: z.strictObject({
    epochs: z.int().min(1).default(20).describe('passes over the samples to fit on'),
    stepSize: z.number().positive().default(0.1).describe('step length as a share of epsilon'),
  }),
  async fit({ model, data, ball, box, options }) {
    let noise = ball.centre; // [1, ...]
    for (let epoch = 0; epoch < options.epochs; epoch++) {
      for await (const { x, goal } of data.pass(50)) {
        const { gradient } = await model.gradient(moved(x, noise, box), logOdds(goal));
        noise = ball.step(noise, sum(gradient), options.stepSize);
      }
    }
    return { noise };
  },
  apply: ({ artifact, x }) => moved(x, artifact['noise']!),
});

/** Every row of `x` with the one row of `noise` added to it, within the box. */
function moved(x: Tensor, { data }: Tensor, [lo, hi]: Box = [-Infinity, Infinity]): Tensor {
  const shift = (value: number, i: number) => Math.min(hi, Math.max(lo, value + data[i % data.length]!));
  return like(x, x.data.map(shift));
}

/** One row: the sum of all. */
function sum(t: Tensor): Tensor {
  const total = take(t, [0]);
  const { length } = total.data;
  for (let i = length; i < t.data.length; i++) total.data[i % length]! += t.data[i]!;
  return total;
}
