import type { Row } from '@gauntlet/core';
import { madeRow, testMetric } from '@gauntlet/testing';
import metric from './index.js';

testMetric(metric);

const at = (sample: number, far: number | null): Row =>
  madeRow({
    ...{ sample, finds: 'smallest' },
    distance: far === null ? null : { l0: 9, l1: 9, l2: 9, linf: far },
  });

it.each([
  [[1, 2, 4], 2],
  [[1, 2, 4, 8], 3],
  [[1, 2, null], 2],
  [[1, 2, null, null], null],
  [[null], null],
  [[], null],
])('of distances %p is %p', (distances, median) => {
  const rows = distances.map((far, sample) => at(sample, far));
  const censored = distances.filter((far) => far === null).length;
  expect(metric.over(rows)).toEqual({ median, tried: distances.length, censored });
});

it('counts a sample once, whatever the epsilons, and neither misclassified samples nor other attacks', () => {
  const rows = [
    at(0, 3),
    { ...at(0, 3), epsilon: 0.5 },
    { ...at(1, null), verdict: 'misclassified' } as const,
  ];
  expect(metric.over([...rows, madeRow({ sample: 2, verdict: 'broken' })])).toEqual({
    median: 3,
    tried: 1,
    censored: 0,
  });
});
