import { madeRow, testMetric } from '@gauntlet/testing';
import metric from './index.js';

testMetric(metric);

it.each([
  [[5, 1, 3], 0, { median: 3, mean: 3, tried: 3, censored: 0 }],
  [[4, 1, 2, 3], 0, { median: 2.5, mean: 2.5, tried: 4, censored: 0 }],
  [[1, 3], 1, { median: 3, mean: 2, tried: 3, censored: 1 }],
  [[1, 3], 2, { median: null, mean: 2, tried: 4, censored: 2 }],
  [[], 1, { median: null, mean: null, tried: 1, censored: 1 }],
])('of %p queries and %p that held', (queries, held, expected) => {
  const broken = queries.map((n, sample) => madeRow({ sample, verdict: 'broken', queries: n }));
  const rest = Array.from({ length: held }, (_, i) => madeRow({ sample: 100 + i, queries: 999 }));
  const other = madeRow({ sample: 200, verdict: 'broken', finds: 'smallest', queries: 7 });
  expect(metric.over([...broken, ...rest, other, madeRow({ verdict: 'misclassified' })])).toEqual(expected);
});
