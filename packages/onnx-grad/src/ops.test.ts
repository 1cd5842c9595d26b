import { Graph, type TensorType } from '@gauntlet/onnx';

import { createOps, type Ops } from './ops.js';
import type { Value } from './value.js';

/** Tensors of a graph: x [N, 3], a row [1, 3] and a condition [N, 3]. */
interface Given {
  readonly x: Value;
  readonly row: Value;
  readonly condition: Value;
}

/** What is written, the nodes that it takes beside those that nothing reads, and the sizes of the result. */
type Case = readonly [
  string,
  (ops: Ops, given: Given) => Value,
  readonly string[],
  readonly (string | number)[],
];

const cases: readonly Case[] = [
  ['ones times x', ({ mul, full }, { x }) => mul(full(x, 1), x), [], ['N', 3]],
  ['x times ones', ({ mul, full }, { x }) => mul(x, full(x, 1)), [], ['N', 3]],
  ['x times a row of ones', ({ mul, full }, { x, row }) => mul(x, full(row, 1)), [], ['N', 3]],
  [
    'a row times ones',
    ({ mul, full }, { x, row }) => mul(row, full(x, 1)),
    ['Expand', 'Mul', 'Shape'],
    ['N', 3],
  ],
  ['x times minus ones', ({ mul, neg, full }, { x }) => mul(x, neg(full(x, 1))), ['Mul'], ['N', 3]],
  [
    'twos times twos',
    ({ mul, full }, { x }) => mul(full(x, 2), full(x, 2)),
    ['Expand', 'Mul', 'Shape'],
    ['N', 3],
  ],
  [
    'threes, widened, where a condition holds',
    ({ where, expand, full }, { x, row, condition }) => where(condition, expand(full(row, 3), x), 0),
    ['Where'],
    ['N', 3],
  ],
  [
    'threes or fours by a condition that they are larger than',
    ({ where, full, equal }, { x, row }) => where(equal(row, 1), full(x, 3), full(x, 4)),
    ['Equal', 'Expand', 'Shape', 'Where'],
    ['N', 3],
  ],
];

/** The ops of the nodes that a tensor needs. */
function needed(graph: Graph, name: string): string[] {
  const node = graph.producer(name);
  return node === undefined ? [] : [node.opType, ...node.input.flatMap((input) => needed(graph, input))];
}

it.each(cases)('leaves out tensors of one number where the number does: %s', (_, write, ops, dims) => {
  const graph = Graph.empty(18);
  const types = new Map<string, TensorType>();
  const given = (name: string, dtype: TensorType['dtype'], sizes: readonly (string | number)[]): Value => {
    types.set(name, { dtype, dims: sizes });
    return { name: graph.input(name, dtype, sizes), dtype, dims: sizes };
  };
  const made = write(createOps(graph, types), {
    x: given('x', 'float32', ['N', 3]),
    row: given('row', 'float32', [1, 3]),
    condition: given('condition', 'bool', ['N', 3]),
  });
  expect(needed(graph, made.name).sort()).toEqual(ops);
  expect(made.dims).toEqual(dims);
});
