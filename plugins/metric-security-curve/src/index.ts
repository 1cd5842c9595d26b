import { defineMetric, type Row } from '@gauntlet/core';

/** Accuracy as the budget grows (Biggio and Roli 2018, section 3.4). */
export interface SecurityCurve {
  /** Accuracy from each epsilon on, ascending from 0; between two places it stays as it was. */
  readonly curve: readonly { readonly epsilon: number; readonly accuracy: number }[];
  /** The mean accuracy over all epsilons from 0 to the largest: the area under the curve, divided by that. Null where there is none. */
  readonly area: number | null;
}

/**
 * The security curve over rows of one attack (or of the worst case), untargeted. What finds the smallest perturbations gives it whole in one pass: a sample is
 * lost from its own distance on. Otherwise it is lost from the first epsilon on at which it was broken, and the curve is no finer than the sweep.
 */
export default defineMetric<SecurityCurve>({
  id: 'metric/security-curve',
  summary: 'Accuracy against epsilon, and the area under it.',
  per: 'attack',
  over(rows) {
    const lost = new Map<Row['sample'], number>();
    for (const row of rows) lost.set(row.sample, Math.min(lost.get(row.sample) ?? Infinity, lostFrom(row)));
    const most = rows.reduce((top, { epsilon }) => Math.max(top, epsilon), 0);
    const all = [...lost.values()].sort((a, b) => a - b);
    const places = [...new Set([0, ...all.filter((epsilon) => epsilon <= most), most])].sort((a, b) => a - b);
    const count = (epsilon: number) => all.filter((own) => own > epsilon).length;
    return {
      curve:
        all.length === 0 ? [] : places.map((epsilon) => ({ epsilon, accuracy: count(epsilon) / all.length })),
      area: most === 0 ? null : all.reduce((sum, own) => sum + Math.min(own, most) / most, 0) / all.length,
    };
  },
});

/** The budget from which on the sample is classified wrongly; the original is where it was misclassified already. */
function lostFrom({ verdict, finds, distance, norm, epsilon }: Row): number {
  if (verdict === 'misclassified') return 0;
  if (finds === 'smallest') return distance?.[norm] ?? Infinity;
  return verdict === 'broken' ? epsilon : Infinity;
}
