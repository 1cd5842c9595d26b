import { row, rows, stream, type Tensor } from '@gauntlet/tensor';
import type { Batch } from './dataset.js';
import type { Plan } from './plan.js';

const { abs, max } = Math;

/** What an attack tries to reach for each sample: leave `classes[i]` (untargeted), or arrive at it (targeted). */
export interface Goal {
  readonly kind: 'untargeted' | 'targeted';
  /** One class for each sample, [n]. */
  readonly classes: Int32Array;
  /** By how much, in units of the scores, the goal must be reached. */
  readonly confidence: number;
}

/**
 * A goal counts as reached only where it is reached by more than float32 rounding, as a share of the largest finite score: so whoever
 * recomputes the answer, with another batch or another tool, finds the same class.
 */
const ROUNDING = 1e-6;

/** Which rows of `scores` [n, classes] reach the goal; row `i` belongs to sample `of[i]`. With a NaN among its scores a sample has left its class, and arrived at none. */
export function reachedByScores(goal: Goal, scores: Tensor, of: readonly number[]): boolean[] {
  return Array.from({ length: rows(scores) }, (_, i) => {
    const own = row(scores, i);
    const wanted = goal.classes[of[i]!]!;
    let other = -Infinity;
    let size = 0;
    for (let j = 0; j < own.length; j++) {
      if (j !== wanted) other = max(other, own[j]!);
      const magnitude = abs(own[j]!);
      // What overflowed is not rounded: log(0), as the score of a class that is ruled out, must not make every lead too small.
      if (magnitude !== Infinity) size = max(size, magnitude);
    }
    if (Number.isNaN(size)) return goal.kind === 'untargeted';
    const lead = goal.kind === 'targeted' ? own[wanted]! - other : other - own[wanted]!;
    return lead > goal.confidence + ROUNDING * size;
  });
}

/** Which labels reach the goal; label `i` belongs to sample `of[i]`. */
export const reachedByLabels = (goal: Goal, labels: Int32Array, of: readonly number[]): boolean[] =>
  Array.from(labels, (label, i) => (label === goal.classes[of[i]!]) === (goal.kind === 'targeted'));

/** The class that each sample shall leave, or arrive at. */
export function goalsFor(
  { threatModel, seed }: Plan,
  classes: number,
  { ids, y }: Batch,
  scores: Tensor | null,
): Goal {
  const { goal, confidence } = threatModel;
  if (goal.kind === 'untargeted') return { kind: 'untargeted', classes: y, confidence };
  const target = (label: number, i: number): number => {
    if (typeof goal.target === 'number') return goal.target;
    if (goal.target === 'next') return (label + 1) % classes;
    if (goal.target === 'random') {
      return (label + 1 + stream(seed, ids[i]!, 'target').integer(classes - 1)) % classes;
    }
    const own = row(scores!, i);
    return own.indexOf(own.reduce((least, value) => Math.min(least, value), Infinity));
  };
  return { kind: 'targeted', classes: y.map(target), confidence };
}
