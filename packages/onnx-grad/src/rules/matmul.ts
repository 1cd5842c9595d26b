import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';

/** Swaps the last two axes. */
function flip({ transpose }: Site['ops'], x: Value): Value {
  const rank = x.dims.length;
  return transpose(
    x,
    [...x.dims.keys()].map((i) => (i < rank - 2 ? i : 2 * rank - 3 - i)),
  );
}

/** A product of matrices, by numpy's rules. */
export const matMul: Rule = ({ x, g, ops }) => {
  const { matMul: times, unsqueeze, squeeze, reshapeTo } = ops;
  const [a, b] = [x(0), x(1)];
  // numpy's rule for vectors: a row on the left, a column on the right.
  const left = () => (a.dims.length === 1 ? unsqueeze(a, [0]) : a);
  const right = () => (b.dims.length === 1 ? unsqueeze(b, [1]) : b);
  const upstream = () => {
    const columns = b.dims.length === 1 ? unsqueeze(g, [g.dims.length]) : g;
    return a.dims.length === 1 ? unsqueeze(columns, [columns.dims.length - 1]) : columns;
  };
  return [
    () => {
      const da = times(upstream(), flip(ops, right()));
      return a.dims.length === 1 ? squeeze(da, [da.dims.length - 2]) : da;
    },
    () => {
      const [inner, columns] = [a.dims.at(-1)!, g.dims.at(-1)!];
      if (
        b.dims.length === 2 &&
        a.dims.length > 2 &&
        typeof inner === 'number' &&
        typeof columns === 'number'
      ) {
        // One product over all rows instead of a sum over batches: [rows, K]^T [rows, N]
        return times(flip(ops, reshapeTo(a, [-1, inner])), reshapeTo(g, [-1, columns]));
      }
      const db = times(flip(ops, left()), upstream());
      return b.dims.length === 1 ? squeeze(db, [db.dims.length - 1]) : db;
    },
  ];
};

/** y = alpha A' B' + beta C, where ' transposes if asked to. */
const gemm: Rule = ({ x, g, attr, ops: { emit, mul } }) => {
  const alpha = attr.float('alpha', 1);
  const beta = attr.float('beta', 1);
  const [transA, transB] = [attr.int('transA', 0) !== 0, attr.int('transB', 0) !== 0];
  const times = (a: Value, ta: boolean, b: Value, tb: boolean) =>
    emit('Gemm', [a, b], { alpha: { float: alpha }, transA: Number(ta), transB: Number(tb) });
  return [
    () => (transA ? times(x(1), transB, g, true) : times(g, false, x(1), !transB)),
    () => (transB ? times(g, true, x(0), transA) : times(x(0), !transA, g, false)),
    () => (beta === 1 ? g : mul(g, beta)),
  ];
};

/** Products of matrices. */
export const products: Rules = { MatMul: matMul, Gemm: gemm };
