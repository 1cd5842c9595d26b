import type { Verdict } from '@gauntlet/core';
import { madeRow, testMetric } from '@gauntlet/testing';
import metric from './index.js';

testMetric(metric);

it('holds where no attack breaks a sample, and says what each adds', () => {
  const of = (attack: string, ...verdicts: Verdict[]) =>
    verdicts.map((verdict, sample) => madeRow({ attack, sample, verdict }));
  const rows = [
    ...of('a', 'broken', 'broken', 'held', 'held', 'misclassified'),
    ...of('b', 'held', 'broken', 'broken', 'held', 'misclassified'),
  ];
  expect(metric.over(rows)).toEqual([
    {
      epsilon: 0.1,
      robustAccuracy: 0.2,
      attacks: { a: { broken: 2, alone: 1 }, b: { broken: 2, alone: 1 } },
    },
  ]);
});

it('tells apart what one attack crafted on other models', () => {
  const rows = [
    madeRow({ attack: 'a', verdict: 'broken' }),
    madeRow({ attack: 'a', surrogate: 'x', verdict: 'held' }),
  ];
  expect(metric.over(rows)[0]!.attacks).toEqual({
    a: { broken: 1, alone: 1 },
    'a on x': { broken: 0, alone: 0 },
  });
});
