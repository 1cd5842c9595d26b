import { defineMetric, type Metric } from '@gauntlet/core';
import { madeRow } from '@gauntlet/testing';
import { measure } from './metrics.js';

const count = (per: Metric['per']) =>
  defineMetric({ id: `metric/${per}`, summary: 'Counts rows.', per, over: (rows) => rows.length });

it('folds the rows that each metric asks for', () => {
  const rows = ['a', 'b'].flatMap((attack) =>
    [0.1, 0.2].flatMap((epsilon) => [0, 1, 2].map((sample) => madeRow({ attack, epsilon, sample }))),
  );
  const measured = measure([count('epsilon'), count('attack'), count('run')], rows);
  expect(measured.map(({ attack, epsilon, value }) => [attack, epsilon, value])).toEqual([
    ['a', 0.1, 3],
    ['a', 0.2, 3],
    ['b', 0.1, 3],
    ['b', 0.2, 3],
    ['a', null, 6],
    ['b', null, 6],
    [null, null, 12],
  ]);
});
