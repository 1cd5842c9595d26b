import { defineUniversal } from '@gauntlet/core';
import { atMost, logOdds } from '@gauntlet/kit';
import { type Box, like, take, type Tensor } from '@gauntlet/tensor';
import { z } from 'zod';

// A lookup of a global costs more than the arithmetic where code runs in a realm of its own, as under jest.
const { max, min } = Math;

/**
 * A universal adversarial perturbation (Moosavi-Dezfooli et al. 2017) by stochastic gradients (Shafahi et al. 2020, algorithm 2): over batches of
 * samples, with P the projection on the ball,
 *
 *     delta <- P(delta + steepest(sum over i of grad min(l(x_i + delta), beta)))
 *
 * The cap keeps samples that are broken already from carrying the sum.
 */
export default defineUniversal({
  id: 'attack/uap',
  summary: 'One perturbation for all inputs, fitted on some of them.',
  cites: ['arXiv:1811.11304', 'arXiv:1610.08401'],
  access: 'gradients',
  norms: ['linf', 'l2', 'l1'],
  options: z.strictObject({
    epochs: z.int().min(1).max(100_000).default(20).describe('passes over the samples to fit on'),
    batchSize: z.int().min(1).max(1_000_000).default(50).describe('samples of each step'),
    stepSize: z.number().positive().max(2).default(0.1).describe('step length as a share of epsilon'),
    beta: z.number().default(9).describe('what the loss of a sample is capped at'),
  }),
  cost: ({ epochs }) => ({ gradients: epochs, queries: epochs }),
  async fit({ model, data, ball, box, options }) {
    let noise = ball.centre;
    for (let epoch = 0; epoch < options.epochs; epoch++) {
      for await (const { x, goal } of data.pass(options.batchSize)) {
        const { gradient } = await model.gradient(moved(x, noise, box), atMost(logOdds(goal), options.beta));
        noise = ball.step(noise, sum(gradient), options.stepSize);
      }
    }
    return { noise };
  },
  apply: ({ artifact, x }) => moved(x, artifact['noise']!),
});

/** Every row of `x` with the one row of `noise` added to it, within the box. */
function moved(x: Tensor, noise: Tensor, [lo, hi]: Box = [-Infinity, Infinity]): Tensor {
  const { data } = noise;
  const shift = (value: number, i: number) => min(hi, max(lo, value + data[i % data.length]!));
  return like(x, x.data.map(shift));
}

/** One row: the sum of all. */
function sum(t: Tensor): Tensor {
  const total = take(t, [0]);
  const { length } = total.data;
  for (let i = length; i < t.data.length; i++) total.data[i % length]! += t.data[i]!;
  return total;
}
