import { defineAttack } from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { z } from 'zod';

/** Steps of steepest ascent, each projected back on ball and box (Madry et al. 2018, section 2.1). Write here what yours does, with its paper. */
export default defineAttack({
  id: 'attack/__NAME__',
  summary: 'Gradient steps from a random start in the ball.',
  cites: ['arXiv:1706.06083'],
  access: 'gradients',
  norms: ['linf', 'l2'],
  finds: 'within-budget',
  options: z.strictObject({
    steps: z.int().min(1).default(40).describe('gradient steps'),
    stepSize: z.number().positive().default(0.1).describe('step length as a share of epsilon'),
  }),
  async run({ model, goal, ball, options, random }) {
    let at = ball.sample(random);
    for (let step = 0; step < options.steps; step++) {
      const { gradient } = await model.gradient(at, logOdds(goal));
      at = ball.step(at, gradient, options.stepSize);
    }
    return at;
  },
});
