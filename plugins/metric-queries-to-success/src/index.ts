import { defineMetric } from '@gauntlet/core';

/** What breaking costs, in queries about one sample. */
export interface QueriesToSuccess {
  /** Half of the tried samples are broken within it; null where fewer than half are. */
  readonly median: number | null;
  /** Over the broken samples; null where there is none. */
  readonly mean: number | null;
  readonly tried: number;
  /** Samples that held with all the queries they got. */
  readonly censored: number;
}

/**
 * How many queries it takes to break a sample, over rows of one attack at one epsilon that finds a point within the budget: those end a sample at its first success. A
 * sample that held is censored: it counts as dearer than all others. Attacks that find the smallest go on after it, and are left out.
 */
export default defineMetric<QueriesToSuccess>({
  id: 'metric/queries-to-success',
  summary: 'How many queries it takes to break a sample, with samples that held censored.',
  per: 'epsilon',
  over(rows) {
    const tried = rows.filter(
      ({ finds, verdict }) => finds === 'within-budget' && (verdict === 'held' || verdict === 'broken'),
    );
    const spent = tried
      .flatMap(({ verdict, queries }) => (verdict === 'broken' ? [queries] : []))
      .sort((a, b) => a - b);
    const middle = [Math.floor((tried.length - 1) / 2), Math.floor(tried.length / 2)] as const;
    return {
      median: middle[1] < spent.length ? (spent[middle[0]]! + spent[middle[1]]!) / 2 : null,
      mean: spent.length === 0 ? null : spent.reduce((sum, one) => sum + one, 0) / spent.length,
      tried: tried.length,
      censored: tried.length - spent.length,
    };
  },
});
