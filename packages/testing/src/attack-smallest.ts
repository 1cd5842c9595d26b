import { evade } from '@gauntlet/core';
import { distance, row, rows } from '@gauntlet/tensor';
import { type AttackSubject, count, task } from './attack-subject.js';
import { type Check, ensure } from './runner.js';
import { curvedToy, linearToy } from './toys.js';

/** The mean of found over exact distance that an attack may have on the linear toy. */
const NEAR = 1.1;

/** What an attack must do besides that finds the smallest perturbation. */
export const smallestChecks: Readonly<Record<string, Check<AttackSubject>>> = {
  async 'stays in the box, from saturated inputs too, and its distances are true'(subject) {
    const toy = curvedToy();
    const x = { ...toy.x, data: toy.x.data.map((value, i) => (i % 2 ? Math.round(value) : value)) };
    const y = await toy.model.labels(x);
    const found = await evade(task(subject, { ...toy, x, y }, { epsilon: Infinity }));
    ensure(
      count(found.reached) === rows(x),
      `Unexpected ${count(found.reached)} of ${rows(x)} broken without a limit, expected all.`,
    );
    y.forEach((_, i) => {
      const point = row(found.points, i);
      const far = distance(point, row(x, i), subject.norm);
      ensure(
        point.every((value) => value >= 0 && value <= 1) && far === found.distance[i],
        `Unexpected point of sample ${i} outside the box, or not ${found.distance[i]} away.`,
      );
    });
  },

  async 'comes near the known distances of a linear model, and never below them'(subject) {
    const toy = linearToy();
    const found = await evade(task(subject, toy, { epsilon: Infinity }));
    const ratios = Array.from(toy.y, (_, i) => found.distance[i]! / toy.distance(i, subject.norm));
    const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
    ensure(
      mean <= NEAR && Math.min(...ratios) > 1 - 1e-4,
      `Unexpected distances of ${mean.toFixed(3)} times the exact ones on average, expected 1 to ${NEAR}.`,
    );
  },

  async 'keeps its nearest points when queries run out'(subject) {
    const toy = linearToy();
    const whole = await evade(task(subject, toy, { epsilon: Infinity }));
    const most = Math.floor(Math.min(...whole.queries) / 2);
    const part = await evade(task(subject, toy, { epsilon: Infinity, queries: most }));
    ensure(
      Math.max(...part.queries) <= most && part.distance.every((far, i) => far >= whole.distance[i]!),
      `Unexpected ${Math.max(...part.queries)} queries, or a nearer point with fewer; expected at most ${most}.`,
    );
  },
};
