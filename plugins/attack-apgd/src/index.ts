import { defineAttack } from '@gauntlet/core';
import { differenceOfLogitsRatio, logOdds } from '@gauntlet/kit';
import { like, row, rows, type Tensor } from '@gauntlet/tensor';
import { z } from 'zod';

/**
 * Auto-PGD (Croce and Hein 2020, algorithm 1), with P the projection on ball and box:
 *
 *     z = P(x_k + eta steepest(grad f(x_k))),   x_{k+1} = P(x_k + alpha (z - x_k) + (1 - alpha) (x_k - x_{k-1}))
 *
 * from eta = 2 epsilon. At each checkpoint a sample whose loss rose in fewer than rho of the steps since the last, or whose best loss and eta both stood still since then, halves its eta and goes on from its best point.
 */
export default defineAttack({
  id: 'attack/apgd',
  summary: 'Projected gradient steps with momentum, halved for each sample where they do not help.',
  cites: ['arXiv:2003.01690'],
  access: 'gradients',
  norms: ['linf', 'l2'],
  finds: 'within-budget',
  byDefault: false,
  options: z.strictObject({
    steps: z.int().min(1).max(100_000).default(100).describe('gradient steps'),
    loss: z.enum(['ce', 'dlr']).default('ce').describe('cross-entropy, or the difference of logits ratio'),
    rho: z
      .number()
      .min(0)
      .max(1)
      .default(0.75)
      .describe('share of steps that must raise the loss between checkpoints'),
    momentum: z
      .number()
      .min(0)
      .max(1)
      .default(0.75)
      .describe('alpha: share of the new step; the rest is the last move'),
  }),
  cost: ({ steps }) => ({ gradients: steps + 1, queries: steps + 1 }),
  async run({ model, x, goal, ball, options, random }) {
    const loss = options.loss === 'ce' ? logOdds(goal) : differenceOfLogitsRatio(goal, model.classes);
    const halvings = new Set(checkpoints(options.steps));
    let at = ball.sample(random);
    let before = at;
    let answer = await model.gradient(at, loss);
    const share = new Float64Array(rows(x)).fill(2);
    const state = Array.from(answer.loss, (start) => ({
      best: start,
      risen: 0,
      since: start,
      halved: false,
    }));
    const best = { points: copy(at), gradient: copy(answer.gradient) };
    for (let step = 1, last = 0; step <= options.steps; step++) {
      const alpha = step === 1 ? 1 : options.momentum;
      const z = ball.step(at, answer.gradient, share);
      const next = ball.project(blend(at, z, before, alpha));
      const previous = answer.loss;
      before = at;
      at = next;
      answer = await model.gradient(at, loss);
      const gradient = copy(answer.gradient);
      state.forEach((own, i) => {
        if (answer.loss[i]! > previous[i]!) own.risen++;
        if (answer.loss[i]! > own.best) {
          own.best = answer.loss[i]!;
          row(best.points, i).set(row(at, i));
          row(best.gradient, i).set(row(gradient, i));
        }
        if (!halvings.has(step)) return;
        const stuck = own.risen < options.rho * (step - last) || (!own.halved && own.best <= own.since);
        Object.assign(own, { risen: 0, since: own.best, halved: stuck });
        if (!stuck) return;
        share[i]! /= 2;
        row(at, i).set(row(best.points, i));
        row(gradient, i).set(row(best.gradient, i));
      });
      if (halvings.has(step)) last = step;
      answer = { ...answer, gradient };
    }
    return best.points;
  },
});

/**
 * The steps after which step sizes are judged: ceil(p_j N) with p_0 = 0, p_1 = 0.22, p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06)
 * (section 3.1), counted in percent, which is exact.
 */
export function checkpoints(steps: number): number[] {
  const percents: number[] = [];
  for (let at = 22, gap = 22; at <= 100; gap = Math.max(gap - 3, 6), at += gap) percents.push(at);
  return percents.map((percent) => Math.ceil((percent * steps) / 100));
}

const copy = (t: Tensor) => like(t, t.data.slice());

/** at + alpha (z - at) + (1 - alpha) (at - before). */
function blend(at: Tensor, z: Tensor, before: Tensor, alpha: number): Tensor {
  const mixed = (value: number, i: number) =>
    alpha * z.data[i]! + (1 - alpha) * (2 * value - before.data[i]!);
  return like(at, at.data.map(mixed));
}
