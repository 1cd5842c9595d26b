import type { Rules } from '../rule.js';
import { activations } from './activations.js';
import { convolutions } from './conv.js';
import { elementwise } from './elementwise.js';
import { picks } from './indexing.js';
import { layouts } from './layout.js';
import { products } from './matmul.js';
import { pools } from './pool.js';
import { reductions } from './reduce.js';

/** Every op that gradients pass through. */
export const RULES: Rules = {
  ...activations,
  ...convolutions,
  ...elementwise,
  ...layouts,
  ...picks,
  ...pools,
  ...products,
  ...reductions,
};

/** Ops whose results do not move when their inputs do: gradients end here. */
export const CUT: ReadonlySet<string> = new Set(
  [
    'ArgMax ArgMin And BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil ConstantOfShape Equal EyeLike Floor Greater',
    'GreaterOrEqual Hardmax IsInf IsNaN Less LessOrEqual NonMaxSuppression NonZero Not Or RandomNormalLike RandomUniformLike',
    'Round Shape Sign Size Xor',
  ].flatMap((line) => line.split(' ')),
);
