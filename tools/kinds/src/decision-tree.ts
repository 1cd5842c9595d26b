import { defineAttack, reachedByScores, type Tree } from '@gauntlet/core';
import { distance, like, row, rows, tensor } from '@gauntlet/tensor';
import { z } from 'zod';

/** The inputs that a path through trees leads to: in each entry, all numbers from `lo` to `hi`. */
interface Cell {
  readonly lo: Float32Array;
  readonly hi: Float32Array;
}

/**
 * The exact attack on decision trees (Kantchelian et al. 2016; by the search over cells that meet, Chen et al. 2019, section 3). The inputs that reach one leaf of
 * each tree form a cell, a product of intervals. The nearest point of a cell, in every norm at once, is the input with each entry clipped to its interval.
 * All cells that reach the goal are searched, tree after tree; a cell farther away than the best point so far is not opened.
 */
export default defineAttack({
  id: 'attack/decision-tree',
  summary: 'The smallest perturbation of an ensemble of decision trees, exactly.',
  cites: ['arXiv:1509.07892', 'arXiv:1906.03849'],
  access: 'none',
  reads: 'trees',
  norms: ['linf', 'l2', 'l1', 'l0'],
  finds: 'smallest',
  options: z.strictObject({}),
  async run({ x, goal, ball, trees }) {
    const { base, trees: ensemble } = trees();
    const [lo, hi] = ball.box;
    const nearest = (i: number): Float32Array => {
      const own = row(x, i);
      let best = { point: own, far: Infinity };
      const visit = (tree: Tree, later: readonly Tree[], cell: Cell, sum: readonly number[]): void => {
        const point = own.map((value, j) => Math.min(cell.hi[j]!, Math.max(cell.lo[j]!, value)));
        const far = distance(point, own, ball.norm);
        if (far >= best.far) return;
        if (!('scores' in tree)) {
          const [first, second] = point[tree.feature]! <= tree.threshold ? SIDES : OTHER_SIDES;
          for (const side of [first, second]) {
            const part = cut(cell, tree.feature, tree.threshold, side);
            if (part !== null) visit(tree[side], later, part, sum);
          }
          return;
        }
        const scores = sum.map((value, k) => value + tree.scores[k]!);
        const [next, ...rest] = later;
        if (next !== undefined) visit(next, rest, cell, scores);
        else if (reachedByScores(goal, tensor(Float32Array.from(scores), [1, scores.length]), [i])[0]) {
          best = { point, far };
        }
      };
      const box = { lo: own.map(() => lo), hi: own.map(() => hi) };
      visit(ensemble[0]!, ensemble.slice(1), box, base);
      return best.point;
    };
    const found = like(x);
    for (let i = 0; i < rows(x); i++) row(found, i).set(nearest(i));
    return found;
  },
});

const SIDES = ['left', 'right'] as const;
const OTHER_SIDES = ['right', 'left'] as const;

/** The part of a cell on one side of a threshold, which itself belongs to the left; null where that is empty. */
function cut({ lo, hi }: Cell, feature: number, threshold: number, side: 'left' | 'right'): Cell | null {
  const part = side === 'left' ? { lo, hi: hi.slice() } : { lo: lo.slice(), hi };
  if (side === 'left') part.hi[feature] = Math.min(hi[feature]!, threshold);
  else part.lo[feature] = Math.max(lo[feature]!, nextAbove(threshold));
  return part.lo[feature]! <= part.hi[feature]! ? part : null;
}

/** The smallest float32 number above another. */
function nextAbove(value: number): number {
  const number = Float32Array.of(value === 0 ? 0 : value);
  const bits = new Int32Array(number.buffer);
  bits[0]! += value < 0 ? -1 : 1;
  return number[0]!;
}
