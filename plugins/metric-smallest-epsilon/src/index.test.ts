import { madeRow, testMetric } from '@gauntlet/testing';
import metric from './index.js';

testMetric(metric);

it('is the first epsilon of the sweep at which a sample breaks', () => {
  const fates = {
    0: ['held', 'broken', 'broken'],
    1: ['broken', 'held', 'broken'],
    2: ['held', 'held', 'held'],
  } as const;
  const rows = Object.entries(fates).flatMap(([sample, verdicts]) =>
    verdicts.map((verdict, i) => madeRow({ sample: Number(sample), epsilon: [0.1, 0.2, 0.4][i]!, verdict })),
  );
  expect(metric.over([...rows, madeRow({ sample: 3, verdict: 'misclassified' })])).toEqual({
    samples: { 0: 0.2, 1: 0.1, 2: null },
    broken: [
      { epsilon: 0.1, samples: 1 },
      { epsilon: 0.2, samples: 1 },
      { epsilon: 0.4, samples: 0 },
    ],
  });
});
