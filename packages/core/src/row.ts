import { type Norm, within } from '@gauntlet/tensor';
import type { Finds } from './attack.js';

/**
 * How a sample fared: `broken` (the goal was reached), `held` (it was not), `misclassified` (the clean answer is wrong already, so
 * nothing was tried), `exempt` (targeted: the label is the target).
 */
export type Verdict = 'broken' | 'held' | 'misclassified' | 'exempt';

/** One sample under one attack at one budget: the only thing between running and reporting. */
export interface Row {
  /** The model's name, without its folder. */
  readonly model: string;
  /** The id of the sample in its data set. */
  readonly sample: number | string;
  /** The id of the plugin. */
  readonly attack: string;
  readonly finds: Finds;
  /** Of the budget. */
  readonly norm: Norm;
  /** The radius of the budget, in the units of the samples; in l0 a count. */
  readonly epsilon: number;
  /** The true class. */
  readonly label: number;
  /** The class to arrive at; null if untargeted. */
  readonly target: number | null;
  /** The answer on the clean input. */
  readonly clean: number;
  /** The answer on the returned input: the clean one unless broken; ABSTAIN where it is none. */
  readonly adversarial: number;
  readonly verdict: Verdict;
  /**
   * How far the point that reached the goal is from the clean input, in float64. An attack that finds the smallest may have found one
   * beyond epsilon, where the sample held; null where there is none.
   */
  readonly distance: Readonly<Record<Norm, number>> | null;
  /**
   * Of a broken sample: the model's scores of the label and of the adversarial answer, in this order, on the clean and on the returned
   * input, in five digits. Left out where the model gives no scores, random ones, or no numbers.
   */
  readonly scores?: {
    readonly clean: readonly [label: number, adversarial: number];
    readonly adversarial: readonly [label: number, adversarial: number];
  };
  /** Points that the model was asked about, those of gradient calls and of the final check included. */
  readonly queries: number;
  /** Points that were differentiated. */
  readonly gradients: number;
  /** The sample's share of its batch's wall time. */
  readonly seconds: number;
  readonly seed: number;
  /** What it was crafted on, where that is not the system under test: another model, or a part of the system (`undefended`, `open`). */
  readonly surrogate?: string;
  /** What that was asked, which `queries` and `gradients` do not count. */
  readonly crafting?: { readonly queries: number; readonly gradients: number };
  /**
   * Of a random model: in how many of so many fresh draws the returned input reached the goal, and how many draws were made in all. Of an
   * attack that draws how its artifact is applied: in how many of its draws the sample reached the goal; the returned input is the first of them.
   */
  readonly votes?: { readonly reached: number; readonly of: number; readonly spent: number };
  /** Of a universal attack: what fitting it took, in all, on samples of which there are no rows. */
  readonly fit?: {
    readonly samples: number;
    readonly queries: number;
    readonly gradients: number;
    readonly seconds: number;
  };
  /** Whether a detector turns the clean input away. */
  readonly rejected?: boolean;
  /** Why a sample that held could not be attacked. */
  readonly failure?: string;
}

/** An attack by the name that tells its runs apart: its id, and what it was crafted on. */
export const runOf = ({ attack, surrogate }: Pick<Row, 'attack' | 'surrogate'>): string =>
  surrogate === undefined ? attack : `${attack} on ${surrogate}`;

/** The name under which the worst case over all attacks is listed. */
export const WORST_CASE = 'worst case';

/**
 * The worst case per sample and epsilon: broken if any attack found a point that reached the goal that near, at whichever epsilon it was
 * run. Counts add up over the attacks at that epsilon.
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
      const far = ({ distance, norm }: Row) => distance?.[norm] ?? Infinity;
      const nearest = (some: readonly Row[]) => [...some].sort((a, b) => far(a) - far(b) || 0)[0];
      const broken = own.filter((row) => row.verdict === 'broken' && within(far(row), epsilon));
      return {
        ...(nearest(broken) ?? nearest(here)!),
        attack: WORST_CASE,
        epsilon,
        queries: total((row) => row.queries),
        gradients: total((row) => row.gradients),
        seconds: total((row) => row.seconds),
      };
    }),
  );
}
