import { fromNumbers, Graph, numbersOf, type TensorType } from '@gauntlet/onnx';

import { differentiate } from '../index.js';
import { openSession } from '../testing/run.js';

/** The float32 number next to another, towards a side. */
function beside(value: number, side: 1 | -1): number {
  if (value === 0) return side * 2 ** -126;
  const bits = new Int32Array(Float32Array.of(value).buffer);
  bits[0]! += Math.sign(value) * side;
  return new Float32Array(bits.buffer)[0]!;
}

const BOUNDS = [
  [0, 6],
  [0, 1],
  [0, Math.fround(0.1)],
  [0, 8],
  [0, 2 ** 40],
  [0, Infinity],
  [-1, 1],
  [2, 3],
  [-6, 0],
  [-Infinity, 6],
  [-Infinity, Infinity],
  [2 ** -100, 1],
] as const;

const LEVELS = ['disabled', 'all'] as const;

const cases = BOUNDS.flatMap((bounds) => LEVELS.map((level) => [...bounds, level] as const));

/** Every bound with the numbers next to it, and sizes of all magnitudes: normal numbers, as floats. */
const POINTS = [
  ...BOUNDS.flat()
    .filter(Number.isFinite)
    .flatMap((bound) => [beside(bound, -1), bound, beside(bound, 1)]),
  ...[-1e38, -1e-37, 2e-38, 1e-37, 7e-32, 1e-30, 1e-20, 1e-7, 0.5, 5, 1e7, 1e38].map(Math.fround),
];

it.each(cases)('a clip to [%d, %d] cuts exactly at its bounds, optimised: %s', async (low, high, level) => {
  const dims = [1, 16, 1, POINTS.length];
  const graph = Graph.empty(18);
  const bound = (value: number) => (Number.isFinite(value) ? graph.scalar('float32', value) : '');
  const y = graph.node('Clip', [graph.input('x', 'float32', dims), bound(low), bound(high)]);
  const shapes = new Map<string, TensorType>(['x', y].map((name) => [name, { dtype: 'float32', dims }]));
  const found = differentiate(graph, { of: y, wrt: ['x'], shapes, lowering: 'blocked' }).get('x')!;
  graph.output(found, 'float32', dims);
  const session = await openSession(graph.model, { graphOptimizationLevel: level });
  const x = fromNumbers('float32', Array.from({ length: 16 }, () => POINTS).flat(), dims);
  const gradient = numbersOf((await session.run(new Map([['x', x]]))).get(found)!).map((slope) => slope + 0);
  await session.release();
  const expected = POINTS.map((point) => (point > low && point < high ? 1 : 0));
  expect(gradient).toEqual(Array.from({ length: 16 }, () => expected).flat());
});
