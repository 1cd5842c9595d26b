import { defineUniversal } from '@gauntlet/core';
import { atMost, logOdds, shifted, sumOfRows } from '@gauntlet/kit';
import { z } from 'zod';

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
        const { gradient } = await model.gradient(
          shifted(x, noise, box),
          atMost(logOdds(goal), options.beta),
        );
        noise = ball.step(noise, sumOfRows(gradient), options.stepSize);
      }
    }
    return { noise };
  },
  apply: ({ artifact, x }) => shifted(x, artifact['noise']!),
});
