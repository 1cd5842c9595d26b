import type { Row, Verdict } from '@gauntlet/core';
import { madeRow, testMetric } from '@gauntlet/testing';
import metric from './index.js';

testMetric(metric);

const crafted = (surrogate: string | null, model: string, ...verdicts: Verdict[]): Row[] =>
  verdicts.map((verdict, sample) =>
    madeRow({ sample, model, verdict, ...(surrogate !== null && { surrogate }) }),
  );

it('is a matrix of what was crafted where and tried where', () => {
  const rows = [
    ...crafted('b', 'a', 'broken', 'held', 'held', 'held', 'misclassified'),
    ...crafted('a', 'b', 'broken', 'held'),
    ...crafted(null, 'a', 'broken', 'broken', 'exempt'),
    madeRow({ attack: 'attack/other', model: 'a', surrogate: 'b', verdict: 'broken' }),
  ];
  const attack = 'attack/test';
  expect(metric.over(rows)).toEqual([
    { attack: 'attack/other', from: 'b', to: 'a', epsilon: 0.1, rate: 1, tried: 1 },
    { attack, from: 'a', to: 'a', epsilon: 0.1, rate: 1, tried: 2 },
    { attack, from: 'a', to: 'b', epsilon: 0.1, rate: 0.5, tried: 2 },
    { attack, from: 'b', to: 'a', epsilon: 0.1, rate: 0.25, tried: 4 },
  ]);
});
