import { defineAttack } from '@gauntlet/core';
import { distance, row, rowSize } from '@gauntlet/tensor';
import { z } from 'zod';
import { BISECTIONS, HALVINGS, leap, normals, toBoundary, type Walk } from './walk.js';

/**
 * HopSkipJump (Chen et al. 2020, algorithm 2), by labels alone: from a point that reaches the goal, bisection to the boundary; an
 * estimate of the boundary's normal from the labels of random neighbours (equation 9, with the mean of 16 taken off); a step along
 * it, halved until it reaches the goal; and bisection again.
 */
export default defineAttack({
  id: 'attack/hop-skip-jump',
  summary: 'The smallest perturbation, by walks along the boundary, by labels alone.',
  cites: ['arXiv:1904.02144'],
  access: 'labels',
  norms: ['l2', 'linf'],
  finds: 'smallest',
  byDefault: false,
  options: z.strictObject({
    steps: z.int().min(1).max(10_000).default(64).describe('steps along the boundary'),
    initialEvals: z.int().min(2).default(100).describe('neighbours asked about in the first step'),
    maxEvals: z.int().min(2).default(10_000).describe('the most neighbours asked about in a step'),
    gamma: z
      .number()
      .positive()
      .default(1)
      .describe('where bisection ends: this share of the distance, times d^-1.5 in l2, d^-2 in linf'),
  }),
  cost({ steps, initialEvals, maxEvals }) {
    const neighbours = Array.from({ length: steps }, (_, i) =>
      neighboursIn(i + 1, { initialEvals, maxEvals }),
    );
    const asked = neighbours.reduce((sum, count) => sum + count + HALVINGS + BISECTIONS, BISECTIONS);
    return { gradients: 0, queries: asked };
  },
  async run({ model, x, goal, ball, options, random, active, starts }) {
    const kind = ball.norm as Walk['kind'];
    const d = rowSize(x);
    const theta = options.gamma * d ** (kind === 'l2' ? -1.5 : -2);
    const walk: Walk = {
      ...{ x, kind, random, box: ball.box },
      at: await starts(),
      async hits(points, of) {
        const labels = await model.labels(points, { of });
        return of.map((i, k) => (labels[k] === goal.classes[i]) === (goal.kind === 'targeted'));
      },
    };
    const samples = () => [...goal.classes.keys()].filter(active);
    const far = (i: number) => distance(row(walk.at, i), row(x, i), kind);
    const widths = (ball.box[1] - ball.box[0]) / 10;

    await toBoundary(walk, samples(), theta);
    for (let step = 1; step <= options.steps && samples().length > 0; step++) {
      const count = neighboursIn(step, options);
      const reach = (i: number) => (step === 1 ? widths : far(i) * theta * d ** (kind === 'l2' ? 0.5 : 1));
      const directions = await normals(walk, samples(), count, reach);
      await leap(walk, samples(), directions, (i) => far(i) / Math.sqrt(step));
      await toBoundary(walk, samples(), theta);
    }
    return walk.at;
  },
});

/** How many neighbours are asked about in a step (section III-B.3). */
const neighboursIn = (step: number, { initialEvals, maxEvals }: { initialEvals: number; maxEvals: number }) =>
  Math.round(Math.min(initialEvals * Math.sqrt(step), maxEvals));
