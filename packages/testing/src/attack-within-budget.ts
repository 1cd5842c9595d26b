import { maximise } from '@gauntlet/core';
import { ball, row, rows } from '@gauntlet/tensor';
import { type AttackSubject, same, task } from './attack-subject.js';
import { type Check, ensure } from './runner.js';
import { curvedToy } from './toys.js';

/** What an attack must do besides that finds a point within its budget. */
export const withinBudgetChecks: Readonly<Record<string, Check<AttackSubject>>> = {
  async 'stays in ball and box, from saturated inputs too'(subject) {
    const toy = curvedToy();
    const x = { ...toy.x, data: toy.x.data.map((value, i) => (i % 2 ? Math.round(value) : value)) };
    for (const epsilon of [0.05, 3]) {
      const given = task(subject, { ...toy, x }, { epsilon });
      const points = await maximise(given);
      const around = ball({ ...given, centre: x });
      for (let i = 0; i < rows(x); i++) {
        ensure(
          around.contains(row(points, i), i),
          `Unexpected point of sample ${i} outside the ${subject.norm} ball of ${epsilon} or the box.`,
        );
      }
    }
  },

  async 'gives the input back at epsilon 0 when crafting'(subject) {
    const toy = curvedToy();
    const moved = await maximise(task(subject, toy, { epsilon: 0 }));
    ensure(same(moved.data, toy.x.data), 'Unexpected move at epsilon 0 when crafting, expected the input.');
  },

  async 'moves samples that it does not break, when crafting'(subject) {
    const toy = curvedToy();
    const epsilon = 1e-3;
    const points = await maximise(task(subject, toy, { epsilon }));
    const still = [...toy.y.keys()].filter((i) => same(row(points, i), row(toy.x, i)));
    ensure(
      still.length === 0,
      `Unexpected ${still.length} samples left at the input when crafting, expected moved points.`,
    );
  },
};
