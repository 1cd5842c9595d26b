import { defineMetric, type Row } from '@gauntlet/core';

/** Where samples break in a sweep of epsilons. */
export interface SmallestEpsilon {
  /** For each sample that was attacked, by its id: the smallest epsilon at which it was broken; null where it held at all. */
  readonly samples: Readonly<Record<string, number | null>>;
  /** For each epsilon, ascending: how many samples broke there and at none before. */
  readonly broken: readonly { readonly epsilon: number; readonly samples: number }[];
}

/** The smallest epsilon of a sweep at which each sample is broken, over rows of one attack or of the worst case at all epsilons. */
export default defineMetric<SmallestEpsilon>({
  id: 'metric/smallest-epsilon',
  summary: 'The smallest epsilon of a sweep at which each sample is broken.',
  per: 'attack',
  over(rows) {
    const tried = rows.filter(({ verdict }) => verdict === 'held' || verdict === 'broken');
    const smallest = new Map<string, number>();
    for (const { sample, epsilon, verdict } of tried) {
      const known = smallest.get(String(sample)) ?? Infinity;
      smallest.set(String(sample), verdict === 'broken' ? Math.min(known, epsilon) : known);
    }
    const epsilons = [...new Set(tried.map(({ epsilon }) => epsilon))].sort((a, b) => a - b);
    const all = [...smallest].sort(([a], [b]) => compare(a, b));
    return {
      samples: Object.fromEntries(all.map(([id, epsilon]) => [id, epsilon === Infinity ? null : epsilon])),
      broken: epsilons.map((epsilon) => ({
        epsilon,
        samples: all.filter(([, own]) => own === epsilon).length,
      })),
    };
  },
});

/** Numbers by size, texts by letters. */
const compare = (a: Row['sample'], b: Row['sample']) => Number(a) - Number(b) || (a < b ? -1 : a > b ? 1 : 0);
