import { defineAttack, reachedByScores } from '@gauntlet/core';
import { lead } from '@gauntlet/kit';
import { norm, row, take, type Tensor } from '@gauntlet/tensor';
import { z } from 'zod';

/**
 * DeepFool (Moosavi-Dezfooli et al. 2016, algorithm 2; section 3.3 for linf). Between the class t that is left and each candidate k the boundary is taken
 * for the plane on which f = Z_k - Z_t, linearised at the current point, is zero. The step to the nearest one is
 *
 *     r = |f| / |w|_2^2 w  in l2,   r = |f| / |w|_1 sign(w)  in linf,   w = grad f;
 *
 * steps add up, and the point is x + (1 + overshoot) sum(r), until it crosses. Towards a target, the only plane is the one between the target and the class that leads.
 */
export default defineAttack({
  id: 'attack/deepfool',
  summary: 'The smallest perturbation, by steps to the nearest linearised boundary.',
  cites: ['arXiv:1511.04599'],
  access: 'gradients',
  norms: ['l2', 'linf'],
  finds: 'smallest',
  byDefault: false,
  options: z.strictObject({
    steps: z.int().min(1).max(10_000).default(50).describe('the most steps'),
    candidates: z
      .int()
      .min(2)
      .default(10)
      .describe('classes that count, the most likely ones, the own included'),
    overshoot: z
      .number()
      .min(0)
      .max(1)
      .default(0.02)
      .describe('by which share the sum of the steps is lengthened'),
  }),
  cost({ steps, candidates }) {
    const gradients = steps * (candidates - 1);
    return { gradients, queries: 1 + gradients };
  },
  async run({ model, x, goal, ball, options, active }) {
    const { norm: kind } = ball;
    const [lo, hi] = ball.box;
    const clean = await model.scores(x);
    const rivals = Array.from(goal.classes, (own, i) =>
      othersOf(clean, i, own).slice(0, options.candidates - 1),
    );
    const total = new Float32Array(x.data.length);
    const at = { ...x, data: x.data.slice() };
    const towards = goal.kind === 'targeted';
    let leader = Int32Array.from(rivals, ([first]) => first!);
    let running = [...goal.classes.keys()];
    for (let step = 0; step < options.steps && running.length > 0; step++) {
      const pairs = running.flatMap((i) =>
        (towards ? [leader[i]!] : rivals[i]!).map((other) => ({ i, other, own: goal.classes[i]! })),
      );
      const of = pairs.map(({ i }) => i);
      const [others, own] = [pairs.map(({ other }) => other), pairs.map((pair) => pair.own)];
      const loss = towards ? lead(own, others) : lead(others, own);
      const answer = await model.gradient(take(at, of), loss, { of });
      leader = leader.slice();
      const nearest = new Map<number, { far: number; size: number; w: Float32Array }>();
      const reached = reachedByScores(goal, answer.scores, of);
      const done = new Set(of.filter((_, k) => reached[k]));
      of.forEach((i, k) => {
        const lead = answer.loss[k]!;
        const w = row(answer.gradient, k);
        const size = norm(w, kind === 'l2' ? 'l2' : 'l1');
        const far = Math.abs(lead - goal.confidence) / size;
        if (!(far >= (nearest.get(i)?.far ?? Infinity)) && size > 0) nearest.set(i, { far, size, w });
        leader[i] = othersOf(answer.scores, k, goal.classes[i]!)[0]!;
      });
      running = running.filter((i) => active(i) && nearest.has(i) && !done.has(i));
      for (const i of running) {
        const { far, size, w } = nearest.get(i)!;
        // A little farther than the plane, as float32 cannot tell a point on it from one before it.
        const length = far + BEYOND * (hi - lo);
        const sum = row({ ...x, data: total }, i);
        const [from, to] = [row(x, i), row(at, i)];
        for (let j = 0; j < w.length; j++) {
          sum[j]! += length * (kind === 'l2' ? w[j]! / size : Math.sign(w[j]!));
          to[j] = Math.min(hi, Math.max(lo, from[j]! + (1 + options.overshoot) * sum[j]!));
        }
      }
    }
    return at;
  },
});

/** Added to each step, in widths of the box. */
const BEYOND = 1e-5;

/** The classes other than `own` in row `i`, by score, the largest first. */
function othersOf(scores: Tensor, i: number, own: number): number[] {
  const values = row(scores, i);
  return [...values.keys()].filter((k) => k !== own).sort((a, b) => values[b]! - values[a]! || a - b);
}
