import { defineAttack } from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { z } from 'zod';

/**
 * The fast gradient method (Goodfellow et al. 2015, section 4): one step to the edge of the ball, the one that gains most to first
 * order. In linf it moves every entry by epsilon in the direction of its gradient's sign; in l2 and l1 it is the exact maximiser of
 * the linearised loss over ball and box. The loss is the log-odds, whose gradient has the direction of cross-entropy's.
 */
export default defineAttack({
  id: 'attack/fgsm',
  summary: 'One gradient step to the edge of the ball.',
  cites: ['arXiv:1412.6572'],
  access: 'gradients',
  norms: ['linf', 'l2', 'l1'],
  finds: 'within-budget',
  options: z.strictObject({}),
  cost: () => ({ gradients: 1, queries: 1 }),
  async run({ model, x, goal, ball }) {
    const { gradient } = await model.gradient(x, logOdds(goal));
    return ball.step(x, gradient, 1);
  },
});
