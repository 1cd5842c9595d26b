import type { Row, Verdict } from '@gauntlet/core';
import { clopperPearson } from '@gauntlet/kit';
import metric from './index.js';

const row = (verdict: Verdict, distance: number | null = null, target: number | null = null): Row => ({
  model: 'm',
  sample: 0,
  attack: 'attack/a',
  finds: 'within-budget',
  norm: 'l2',
  epsilon: 1,
  label: 0,
  target,
  clean: 0,
  adversarial: 0,
  verdict,
  distance: distance === null ? null : { l0: 900, l1: 900, l2: distance, linf: 900 },
  queries: 3,
  gradients: 2,
  seconds: 0.25,
  seed: 0,
});
const rows = (verdicts: Partial<Record<Verdict, number>>, target: number | null = null) =>
  Object.entries(verdicts).flatMap(([verdict, n]) =>
    Array.from({ length: n }, () => row(verdict as Verdict, verdict === 'broken' ? 1 : null, target)),
  );

describe('robust accuracy', () => {
  it.each([
    ['nothing broken', { held: 4 }, null, 1, 0],
    ['everything broken', { broken: 4 }, null, 0, 1],
    [
      'misclassified samples are not robust, and were not tried',
      { held: 3, broken: 1, misclassified: 4 },
      null,
      3 / 8,
      1 / 4,
    ],
    ['nothing to try', { misclassified: 2 }, null, 0, null],
    [
      'targeted: of those that were tried',
      { held: 3, broken: 1, misclassified: 4, exempt: 2 },
      7,
      3 / 4,
      1 / 4,
    ],
    ['targeted: nothing to try', { misclassified: 1, exempt: 2 }, 7, null, null],
    ['no rows', {}, null, null, null],
  ])('%s', (_, verdicts, target, robustAccuracy, successRate) => {
    expect(metric.over(rows(verdicts, target))).toMatchObject({ robustAccuracy, successRate });
  });

  it('has the interval of its own count', () => {
    expect(metric.over(rows({ held: 3, broken: 1, misclassified: 4 })).interval).toEqual(
      clopperPearson(3, 8),
    );
    expect(metric.over(rows({ held: 3, broken: 1, exempt: 4 }, 7)).interval).toEqual(clopperPearson(3, 4));
  });

  it.each([
    [[], null],
    [[5], { median: 5, mean: 5, max: 5, count: 1 }],
    [[10, 1, 2], { median: 2, mean: 13 / 3, max: 10, count: 3 }],
    [[10, 1, 2, 3], { median: 2.5, mean: 4, max: 10, count: 4 }],
  ])('measures %p in the norm of the rows, over the broken ones alone', (sizes, distance) => {
    const all = [...sizes.map((size) => row('broken', size)), row('held'), row('misclassified')];
    expect(metric.over(all)).toMatchObject({ distance, broken: sizes.length });
  });

  it('adds up what was spent', () => {
    expect(metric.over(rows({ held: 3, broken: 1 }))).toMatchObject({
      queries: 12,
      gradients: 8,
      seconds: 1,
    });
  });
});
