import { defineMetric, type Row } from '@gauntlet/core';

/** How far the boundary is, in the norm of the rows. */
export interface MedianDistance {
  /** Half of the tried samples have a point that reaches the goal within it; null where more than half have none. */
  readonly median: number | null;
  /** Samples that were attacked, and those of them for which no point was found at whatever distance. */
  readonly tried: number;
  readonly censored: number;
}

/**
 * The median of the smallest perturbations, over rows of one attack that finds them (at any epsilon: they all say the same). A sample that was never broken is censored: it
 * counts as farther than all others, not as zero. Rows of other attacks are left out, as their distances say what the budget was.
 */
export default defineMetric<MedianDistance>({
  id: 'metric/median-distance',
  summary: 'Median distance of the smallest perturbations, with samples that were never broken censored.',
  per: 'attack',
  over(rows) {
    const far = smallestDistances(rows);
    const middle = [far[Math.floor((far.length - 1) / 2)], far[Math.floor(far.length / 2)]];
    const median = middle.reduce<number>((sum, one) => sum + (one ?? Infinity) / 2, 0);
    return {
      median: Number.isFinite(median) ? median : null,
      tried: far.length,
      censored: far.filter((one) => one === Infinity).length,
    };
  },
});

/** The smallest distance of each sample that was attacked, ascending; infinite where there is none. */
function smallestDistances(rows: readonly Row[]): number[] {
  const bySample = new Map<Row['sample'], number>();
  for (const { sample, finds, verdict, distance, norm } of rows) {
    if (finds !== 'smallest' || (verdict !== 'held' && verdict !== 'broken')) continue;
    bySample.set(sample, Math.min(bySample.get(sample) ?? Infinity, distance?.[norm] ?? Infinity));
  }
  return [...bySample.values()].sort((a, b) => a - b);
}
