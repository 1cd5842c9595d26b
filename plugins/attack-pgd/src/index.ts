import { defineAttack } from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { z } from 'zod';

/**
 * Projected gradient descent (Madry et al. 2018, section 2.1): steps of steepest ascent, each projected back on ball and box,
 * from a random start. It climbs the log-odds, which rise where cross-entropy does but never saturate.
 */
export default defineAttack({
  id: 'attack/pgd',
  summary: 'Projected gradient steps from a random start in the ball.',
  cites: ['arXiv:1706.06083'],
  access: 'gradients',
  norms: ['linf', 'l2', 'l1'],
  finds: 'within-budget',
  options: z.strictObject({
    steps: z.int().min(1).max(100_000).default(40).describe('gradient steps'),
    stepSize: z.number().positive().max(2).default(0.1).describe('step length as a share of epsilon'),
    randomStart: z.boolean().default(true).describe('start anywhere in the ball, not at the input'),
  }),
  cost: ({ steps }) => ({ gradients: steps, queries: steps }),
  async run({ model, x, goal, ball, options, random }) {
    let at = options.randomStart ? ball.sample(random) : x;
    for (let step = 0; step < options.steps; step++) {
      const { gradient } = await model.gradient(at, logOdds(goal));
      at = ball.step(at, gradient, options.stepSize);
    }
    return at;
  },
});
