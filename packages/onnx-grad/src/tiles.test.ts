import { fromNumbers, Graph, numbersOf } from '@gauntlet/onnx';

import { differentiate } from './index.js';
import { learnTypes, run } from './testing/run.js';

/** Slices of x [2, 6], each times a number of its own: from, to and axis. */
type Cut = readonly [from: number, to: number, axis: number];

const rows = (from: number, to: number): Cut => [from, to, 0];
const columns = (from: number, to: number): Cut => [from, to, 1];

const cases: readonly (readonly [string, readonly Cut[], { pads: number; concats: number }])[] = [
  ['in order', [columns(0, 2), columns(2, 3), columns(3, 6)], { pads: 0, concats: 1 }],
  ['out of order', [columns(3, 6), columns(0, 2), columns(2, 3)], { pads: 0, concats: 1 }],
  ['with a gap', [columns(0, 2), columns(3, 6)], { pads: 2, concats: 0 }],
  ['that overlap', [columns(0, 4), columns(3, 6)], { pads: 2, concats: 0 }],
  ['that end early', [columns(0, 2), columns(2, 5)], { pads: 2, concats: 0 }],
  ['along two axes', [rows(0, 1), columns(0, 3), columns(3, 6)], { pads: 3, concats: 0 }],
  ['beside the whole', [columns(0, 6), rows(0, 1), rows(1, 2)], { pads: 0, concats: 1 }],
];

it.each(cases)('adds gradients of slices %s', async (_, cuts, { pads, concats }) => {
  const x = fromNumbers('float32', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [2, 6]);
  const graph = Graph.empty(18);
  const input = graph.input('x', 'float32', x.dims);
  const totals = cuts.map(([from, to, axis], i) => {
    const cut = graph.node('Slice', [input, ...[[from], [to], [axis]].map((each) => graph.ints(each))]);
    return graph.node('ReduceSum', [graph.node('Mul', [cut, graph.scalar('float32', 10 ** i)])], {
      keepdims: 0,
    });
  });
  const y = graph.node('Sum', totals);
  const shapes = await learnTypes(graph.model, new Map([['x', x]]));
  const found = differentiate(graph, { of: y, wrt: ['x'], shapes }).get('x')!;
  graph.output(found, 'float32', x.dims);
  const expected = Array.from({ length: 12 }, (_, at) =>
    cuts.reduce((sum, [from, to, axis], i) => {
      const place = axis === 0 ? Math.floor(at / 6) : at % 6;
      return sum + (place >= from && place < to ? 10 ** i : 0);
    }, 0),
  );
  expect(numbersOf((await run(graph.model, new Map([['x', x]]))).get(found)!)).toEqual(expected);
  const count = (op: string) => graph.proto.node.filter(({ opType }) => opType === op).length;
  expect([count('Pad'), count('Concat')]).toEqual([pads, concats]);
});
