import { defineMetric } from '@gauntlet/core';

/** How many of the samples that were attacked were broken. */
export interface SuccessRate {
  /** Null where nothing was attacked. */
  readonly rate: number | null;
  readonly broken: number;
  readonly tried: number;
}

/** The share of attacked samples that were broken. Write here what yours measures. */
export default defineMetric<SuccessRate>({
  id: 'metric/__NAME__',
  summary: 'Share of the attacked samples that were broken.',
  per: 'epsilon',
  over(rows) {
    const tried = rows.filter(({ verdict }) => verdict === 'broken' || verdict === 'held').length;
    const broken = rows.filter(({ verdict }) => verdict === 'broken').length;
    return { rate: tried === 0 ? null : broken / tried, broken, tried };
  },
});
