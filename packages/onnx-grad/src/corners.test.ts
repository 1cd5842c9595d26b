import type { Tensor } from '@gauntlet/onnx';
import { fromNumbers, Graph, int64s, numbersOf } from '@gauntlet/onnx';

import { differentiate } from './index.js';
import type { Build, Case } from './testing/cases.js';
import { cases } from './testing/cases.js';
import { numbers } from './testing/differences.js';
import { learnTypes, run } from './testing/run.js';

const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);

/** The gradient of the sum of a graph's output by `x`; undefined where ONNX Runtime refuses the graph itself. */
async function gradient(
  x: Tensor,
  { build, opset }: Pick<Case, 'build' | 'opset'>,
): Promise<Tensor | undefined> {
  const random = numbers(7);
  const graph = Graph.empty(opset);
  const y = build(graph, graph.input('x', 'float32', x.dims), (shape, from = -1, to = 1) =>
    graph.constant(fromNumbers('float32', random(size(shape), from, to), shape)),
  );
  const feeds = new Map([['x', x]]);
  const shapes = await learnTypes(graph.model, feeds).catch(() => undefined);
  if (shapes === undefined) return undefined;
  const found = differentiate(graph, { of: y, wrt: ['x'], shapes }).get('x')!;
  graph.output(found, 'float32');
  return (await run(graph.model, feeds)).get(found)!;
}

/** ONNX Runtime 1.30 itself dies of these. */
const CRASH = ['DFT', 'GRU', 'LSTM', 'RNN', 'TopK'];

describe('of an empty batch, the gradient is empty', () => {
  const safe = cases.filter(({ op }) => !CRASH.includes(op));
  let tested = 0;

  // The other operands of some cases fit the batch that they are made for.
  test.each(safe.map((one, i) => [one.op, i, one] as const))('%s (%d)', async (_, __, one) => {
    const dims = one.dims.with(0, 0);
    const found = await gradient(fromNumbers('float32', [], dims), one);
    if (found === undefined) return;
    expect([found.dims, numbersOf(found)]).toEqual([dims, []]);
    tested++;
  });

  test('for most ops', () => expect(tested).toBeGreaterThan(0.7 * safe.length));
});

describe('where differences say nothing', () => {
  const scatter =
    (op: 'ScatterElements' | 'ScatterND', reduction: string): Build =>
    (graph, x) => {
      const indices = graph.constant(int64s([0, 0], op === 'ScatterND' ? [2, 1] : [2]));
      const updates = graph.node('Slice', [x, graph.ints([1]), graph.ints([3])]);
      return graph.node(op, [x, indices, updates], { reduction });
    };
  it.each<[string, readonly number[], Build, readonly number[]]>([
    ['a norm of 0', [0, 0], (graph, x) => graph.node('ReduceL2', [x]), [0, 0]],
    ['a direction of nothing', [0, 0], (graph, x) => graph.node('LpNormalization', [x]), [0, 0]],
    ['equal scattered maxima', [3, 3, 3, 1], scatter('ScatterElements', 'max'), [1 / 3, 4 / 3, 4 / 3, 1]],
    ['equal scattered minima', [3, 3, 3, 1], scatter('ScatterND', 'min'), [1 / 3, 4 / 3, 4 / 3, 1]],
    ['a scattered maximum', [3, 3, 4, 1], scatter('ScatterND', 'max'), [0, 1, 2, 1]],
    ['the ends of HardSwish', [-3, 3], (graph, x) => graph.node('HardSwish', [x]), [0, 1]],
    [
      'where a picture of one pixel, seen in mirrors, is read',
      [-1.5, 0.3],
      (graph, x) => {
        const pixel = graph.scalar('float32', 2, [1, 1, 1, 1]);
        const grid = graph.node('Reshape', [x, graph.ints([1, 1, 1, 2])]);
        return graph.node('GridSample', [pixel, grid], { align_corners: 1, padding_mode: 'reflection' });
      },
      [0, 0],
    ],
    [
      'one column against several',
      [1, 2],
      (graph, x) => {
        const column = graph.node('Reshape', [x, graph.ints([2, 1])]);
        const rows = graph.constant(fromNumbers('float32', [1, 2, 3, 4, 5, 6], [3, 2]));
        return graph.node('Einsum', [column, rows], { equation: 'ij,jk->ik' });
      },
      [21, 21],
    ],
  ])('%s', async (_, values, build, expected) => {
    const found = await gradient(fromNumbers('float32', values), { build, opset: 18 });
    expect(numbersOf(found!).map((value) => value + 0)).toEqual(expected.map(Math.fround));
  });
});
