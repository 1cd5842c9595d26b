import { defineAttack, lossAt } from '@gauntlet/core';
import { evaluateLoss, logOdds, margin, planesOf } from '@gauntlet/kit';
import { like, row, take } from '@gauntlet/tensor';
import { z } from 'zod';
import { SEARCH } from './search.js';

/**
 * Square Attack (Andriushchenko et al. 2020, algorithm 1): each query changes one square of the best point so far, and stays if the loss rose. The loss is the
 * margin, or the log-odds of a target; `search.ts` says where squares lie and what they hold in each norm.
 */
export default defineAttack({
  id: 'attack/square',
  summary: 'Random search by squares, by scores alone.',
  cites: ['arXiv:1912.00049'],
  access: 'scores',
  norms: ['linf', 'l2'],
  finds: 'within-budget',
  byDefault: false,
  options: z.strictObject({
    queries: z.int().min(1).max(10_000_000).default(5000).describe('the most queries for each sample'),
    p: z.number().positive().max(1).default(0.8).describe('share of the entries in the first squares'),
  }),
  cost: ({ queries }) => ({ gradients: 0, queries }),
  async run({ model, x, goal, ball, options, random, queries, active }) {
    const search = SEARCH[ball.norm as 'linf' | 'l2'];
    const most = Math.min(options.queries, queries);
    const planes = planesOf(x.shape.slice(1));
    const loss = goal.kind === 'targeted' ? logOdds(goal) : margin(goal);
    const samples = [...goal.classes.keys()];
    const subject = (i: number) => ({ clean: row(x, i), random: random[i]!, planes, ball });

    const start = like(x);
    for (const i of samples) row(start, i).set(search.start(subject(i)));
    const best = ball.project(start);
    const reached = evaluateLoss(loss, await model.scores(best)).loss;
    for (let query = 1; query < most; query++) {
      const running = samples.filter(active);
      const size = squareSize(options.p, query / most, planes);
      const trial = take(best, running);
      running.forEach((i, k) => search.change(row(trial, k), { ...subject(i), size }));
      const scores = await model.scores(trial, { of: running });
      const now = evaluateLoss(lossAt(loss, running), scores).loss;
      running.forEach((i, k) => {
        if (now[k]! <= reached[i]!) return;
        reached[i] = now[k]!;
        row(best, i).set(row(trial, k));
      });
    }
    return best;
  },
});

/** The shares of the queries after which the area of a square is halved (section 3.2, 10,000 iterations). */
const HALVINGS = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000].map((query) => query / 10_000);

/** The sides of a square that holds its share of the entries; on a line of numbers it is a piece of that. */
export function squareSize(p: number, done: number, { height, width }: { height: number; width: number }) {
  const area = (p / 2 ** HALVINGS.filter((share) => done > share).length) * height * width;
  const side = Math.max(1, Math.round(Math.sqrt(area)));
  const rows = Math.min(side, height);
  return { rows, columns: Math.max(1, Math.min(width, rows === side ? side : Math.round(area / rows))) };
}
