import type { Norm } from '@gauntlet/tensor';

/**
 * How a sample fared: `broken` (the goal was reached), `held` (it was not), `misclassified` (the clean answer is wrong already, so
 * nothing was tried), `exempt` (targeted: the label is the target).
 */
export type Verdict = 'broken' | 'held' | 'misclassified' | 'exempt';

/** One sample under one attack at one budget: the only thing between running and reporting. */
export interface Row {
  readonly sample: number | string;
  readonly attack: string;
  readonly norm: Norm;
  readonly epsilon: number;
  readonly label: number;
  /** The class to arrive at; null if untargeted. */
  readonly target: number | null;
  /** The answer on the clean input. */
  readonly clean: number;
  /** The answer on the returned input: the clean one unless broken. */
  readonly adversarial: number;
  readonly verdict: Verdict;
  /** How far the returned input is from the clean one, in float64; null unless broken. */
  readonly distance: Readonly<Record<Norm, number>> | null;
  /** Points that the model was asked about, those of gradient calls and of the final check included. */
  readonly queries: number;
  /** Points that were differentiated. */
  readonly gradients: number;
  /** The sample's share of its batch's wall time. */
  readonly seconds: number;
  readonly seed: number;
}

/** The name under which the worst case over all attacks is listed. */
export const WORST_CASE = 'worst case';

/**
 * The worst case per sample and epsilon: broken if any attack broke it there or at a smaller epsilon, since a point in the small
 * ball lies in the large one. Counts add up over the attacks at that epsilon.
 */
export function worstCase(rows: readonly Row[]): Row[] {
  const bySample = new Map<Row['sample'], Row[]>();
  for (const row of rows) {
    const own = bySample.get(row.sample);
    if (own) own.push(row);
    else bySample.set(row.sample, [row]);
  }
  const epsilons = [...new Set(rows.map((row) => row.epsilon))].sort((a, b) => a - b);
  return epsilons.flatMap((epsilon) =>
    [...bySample.values()].flatMap((own) => {
      const here = own.filter((row) => row.epsilon === epsilon);
      if (here.length === 0) return [];
      const total = (of: (row: Row) => number) => here.reduce((sum, row) => sum + of(row), 0);
      const broken = own
        .filter((row) => row.verdict === 'broken' && row.epsilon <= epsilon)
        .sort((a, b) => a.distance![a.norm] - b.distance![b.norm])[0];
      return {
        ...(broken ?? here[0]!),
        attack: WORST_CASE,
        epsilon,
        queries: total((row) => row.queries),
        gradients: total((row) => row.gradients),
        seconds: total((row) => row.seconds),
      };
    }),
  );
}
