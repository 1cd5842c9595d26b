import { defineUniversal } from '@gauntlet/core';
import { logOdds, shifted, sumOfRows } from '@gauntlet/kit';
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
        const { gradient } = await model.gradient(shifted(x, noise, box), logOdds(goal));
        noise = ball.step(noise, sumOfRows(gradient), options.stepSize);
      }
    }
    return { noise };
  },
  apply: ({ artifact, x }) => shifted(x, artifact['noise']!),
});
