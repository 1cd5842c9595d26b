import type { Row } from '@gauntlet/core';
import { madeRow, testMetric } from '@gauntlet/testing';
import metric from './index.js';

testMetric(metric);

const at = (sample: number, far: number | null): Row =>
  madeRow({
    ...{ sample, finds: 'smallest', epsilon: 1 },
    distance: far === null ? null : { l0: 9, l1: 9, l2: 9, linf: far },
  });

it('falls where a sample is lost, and its area is the mean of what each one takes', () => {
  const rows = [at(0, 0.25), at(1, 0.5), at(2, null), { ...at(3, null), verdict: 'misclassified' } as const];
  expect(metric.over(rows)).toEqual({
    curve: [
      { epsilon: 0, accuracy: 0.75 },
      { epsilon: 0.25, accuracy: 0.5 },
      { epsilon: 0.5, accuracy: 0.25 },
      { epsilon: 1, accuracy: 0.25 },
    ],
    area: (0.25 + 0.5 + 1 + 0) / 4,
  });
});

it('is uniform distances: accuracy 1 - epsilon, area one half', () => {
  const n = 1000;
  const { curve, area } = metric.over(Array.from({ length: n }, (_, i) => at(i, (i + 0.5) / n)));
  for (const { epsilon, accuracy } of curve)
    expect(Math.abs(accuracy - (1 - epsilon))).toBeLessThanOrEqual(1 / n);
  expect(area).toBeCloseTo(0.5, 10);
});

it('takes the epsilons of a sweep where the attack stops within the budget', () => {
  const rows = [0.1, 0.2].flatMap((epsilon) => [
    madeRow({ sample: 0, epsilon, verdict: epsilon > 0.1 ? 'broken' : 'held' }),
    madeRow({ sample: 1, epsilon }),
  ]);
  expect(metric.over(rows)).toEqual({
    curve: [
      { epsilon: 0, accuracy: 1 },
      { epsilon: 0.2, accuracy: 0.5 },
    ],
    area: 1,
  });
});
