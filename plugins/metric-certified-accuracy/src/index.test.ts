import { ABSTAIN, type Certified } from '@gauntlet/core';
import { clopperPearson } from '@gauntlet/kit';
import { madeCertified, testMetric } from '@gauntlet/testing';
import metric from './index.js';

testMetric(metric);

const unknown = { outcome: 'unknown', why: 'too wide' } as const;

it('counts right answers that are certified, at every radius up to that of the certificate', () => {
  const radii = [0.3, 0.2, 0.15, 0.05];
  const rows = [0.1, 0.2].flatMap((epsilon) => [
    ...radii.map((radius, sample) =>
      madeCertified({ sample, epsilon, certificate: { outcome: 'robust', radius } }),
    ),
    // Certified, and wrong.
    madeCertified({ sample: 4, epsilon, answer: 1, certificate: { outcome: 'robust', radius: 1 } }),
    madeCertified({ sample: 5, epsilon, answer: ABSTAIN, certificate: unknown }),
    madeCertified({ sample: 6, epsilon, certificate: unknown }),
    madeCertified({ sample: 7, epsilon, certificate: { outcome: 'broken', distance: 0.15 } }),
  ]);
  expect(metric.over(rows)).toEqual({
    samples: 8,
    clean: 6 / 8,
    abstained: 1,
    at: [
      { epsilon: 0.1, certified: 3 / 8, interval: clopperPearson(3, 8), broken: 0, unknown: 3 },
      { epsilon: 0.2, certified: 2 / 8, interval: clopperPearson(2, 8), broken: 1, unknown: 3 },
    ],
    meanRadius: expect.closeTo((0.3 + 0.2 + 0.15 + 0.05) / 8, 12),
  });
});

it('takes a certificate at a radius for one at every smaller one', () => {
  const rows = [
    madeCertified({ epsilon: 0.1, certificate: unknown }),
    madeCertified({ epsilon: 0.2, certificate: { outcome: 'robust', radius: 0.2 } }),
  ];
  expect(metric.over(rows).at.map(({ certified }) => certified)).toEqual([1, 1]);
});

it('is a curve that falls as the distances of a linear model do', () => {
  // Certified radii uniform in [0, 1]: accuracy 1 - epsilon, mean one half.
  const n = 200;
  const epsilons = [0.1, 0.5, 0.9];
  const rows = epsilons.flatMap((epsilon) =>
    Array.from({ length: n }, (_, sample): Certified => {
      const certificate = { outcome: 'robust', radius: (sample + 0.5) / n } as const;
      return madeCertified({ sample, epsilon, certificate });
    }),
  );
  const { at, meanRadius } = metric.over(rows);
  at.forEach(({ epsilon, certified }) => expect(certified).toBeCloseTo(1 - epsilon, 2));
  expect(meanRadius).toBeCloseTo(0.5, 10);
});

it('knows nothing of no samples', () => {
  expect(metric.over([])).toEqual({ samples: 0, clean: null, abstained: 0, at: [], meanRadius: null });
});
