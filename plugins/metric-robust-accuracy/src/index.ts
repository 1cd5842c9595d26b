import { defineMetric, type Row } from '@gauntlet/core';
import { clopperPearson } from '@gauntlet/kit';

/** How a model fared over some rows. Null where there is nothing to count. */
export interface RobustAccuracy {
  /**
   * Untargeted: samples classified correctly and not broken, of all samples. Targeted: samples not driven to the target, of those
   * classified correctly whose label is not the target.
   */
  readonly robustAccuracy: number | null;
  /** Two-sided 95% Clopper-Pearson interval of the robust accuracy: the error of sampling, and of nothing else. */
  readonly interval: readonly [lo: number, hi: number];
  /** Broken, of the samples that were tried: classified correctly and, if targeted, not of the target class already. */
  readonly successRate: number | null;
  readonly broken: number;
  /** How far the broken samples were moved, in the norm of the rows; null where none was broken. */
  readonly distance: {
    readonly median: number;
    readonly mean: number;
    readonly max: number;
    readonly count: number;
  } | null;
  readonly queries: number;
  readonly gradients: number;
  readonly seconds: number;
}

/** Robust accuracy with its exact binomial interval, success rate, distances and costs. */
export default defineMetric<RobustAccuracy>({
  id: 'metric/robust-accuracy',
  summary: 'Robust accuracy with its exact binomial interval, success rate, distances and costs.',
  per: 'epsilon',
  over(rows) {
    const count = (verdict: Row['verdict']) => rows.filter((row) => row.verdict === verdict).length;
    const [held, broken] = [count('held'), count('broken')];
    const tried = held + broken;
    const targeted = rows.some(({ target }) => target !== null);
    const all = targeted ? tried : rows.length;
    return {
      robustAccuracy: share(held, all),
      interval: clopperPearson(held, all),
      successRate: share(broken, tried),
      broken,
      distance: distancesOf(rows),
      queries: sum(rows, (row) => row.queries),
      gradients: sum(rows, (row) => row.gradients),
      seconds: sum(rows, (row) => row.seconds),
    };
  },
});

const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);

const sum = (rows: readonly Row[], of: (row: Row) => number) =>
  rows.reduce((total, row) => total + of(row), 0);

function distancesOf(rows: readonly Row[]): RobustAccuracy['distance'] {
  const sizes = rows
    .flatMap((row) => (row.verdict === 'broken' ? [row.distance![row.norm]] : []))
    .sort((a, b) => a - b);
  const n = sizes.length;
  if (n === 0) return null;
  return {
    median: (sizes[Math.floor((n - 1) / 2)]! + sizes[Math.floor(n / 2)]!) / 2,
    mean: sizes.reduce((total, size) => total + size, 0) / n,
    max: sizes[n - 1]!,
    count: n,
  };
}
