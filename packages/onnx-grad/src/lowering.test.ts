import { fromNumbers, Graph, numbersOf } from '@gauntlet/onnx';

import { differentiate } from './index.js';
import type { Lowering } from './rule.js';
import { learnTypes, run } from './testing/run.js';

/** Images by a model of their channels, height and width; `noise` gives constants that look random. */
type Build = (graph: Graph, x: string, noise: (...dims: number[]) => string) => string;

const pads = (size: number) => ({ pads: [size, size, size, size] });

const conv =
  (
    filters: number,
    channels: number,
    kernel: readonly number[],
    attributes: Record<string, number | number[]> = {},
  ): Build =>
  (graph, x, noise) =>
    graph.node('Conv', [x, noise(filters, channels, ...kernel)], attributes);
const pool =
  (kernel: number, stride: number, pad: number, more: Record<string, number> = {}): Build =>
  (graph, x) =>
    graph.node('MaxPool', [x], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      ...more,
    });
const after =
  (...builds: readonly Build[]): Build =>
  (graph, x, noise) =>
    builds.reduce((value, build) => build(graph, value, noise), x);
const relu: Build = (graph, x) => graph.node('Relu', [x]);
const clip =
  (low: number, high: number): Build =>
  (graph, x) =>
    graph.node('Clip', [x, graph.scalar('float32', low), graph.scalar('float32', high)]);
const halving = conv(32, 1, [3, 3], { strides: [2, 2], group: 32, ...pads(1) });
const both =
  (...builds: readonly Build[]): Build =>
  (graph, x, noise) =>
    graph.node(
      'Sum',
      builds.map((build) => build(graph, x, noise)),
    );

const cases: readonly (readonly [string, readonly number[], Build])[] = [
  ['overlapping MaxPool', [16, 9, 8], pool(3, 2, 0)],
  ['overlapping MaxPool with padding, after Relu', [16, 8, 9], after(relu, pool(3, 2, 1))],
  ['overlapping MaxPool with padding, not after Relu', [16, 8, 9], pool(3, 2, 1)],
  ['overlapping MaxPool that hangs over the edge', [16, 8, 8], after(relu, pool(3, 2, 0, { ceil_mode: 1 }))],
  ['MaxPool of stride 1', [32, 6, 7], after(relu, pool(3, 1, 1))],
  ['MaxPool of 2 by 1', [16, 6, 5], after(relu, pool(2, 1, 0))],
  ['MaxPool that leaves rows out', [16, 10, 9], pool(2, 2, 0)],
  ['overlapping MaxPool of 8 channels', [8, 8, 9], after(relu, pool(3, 2, 1))],
  ['MaxPool of tiles of few channels', [5, 6, 6], pool(3, 3, 0)],
  ['stem: 7x7 of stride 2 on 3 channels', [3, 23, 25], conv(16, 3, [7, 7], { strides: [2, 2], ...pads(3) })],
  ['3x3 on 3 channels', [3, 11, 10], conv(16, 3, [3, 3], pads(1))],
  ['5x3 of stride 3 on 2 channels', [2, 13, 16], conv(8, 2, [5, 3], { strides: [3, 3], pads: [2, 0, 1, 1] })],
  ['3x3 on 6 channels', [6, 11, 10], conv(16, 6, [3, 3], pads(1))],
  ['5x5 of stride 2 on 6 channels', [6, 11, 10], conv(16, 6, [5, 5], { strides: [2, 2], ...pads(2) })],
  ['3x3 of stride 2', [32, 9, 12], conv(16, 32, [3, 3], { strides: [2, 2], ...pads(1) })],
  ['1x1 of stride 2', [16, 7, 8], conv(16, 16, [1, 1], { strides: [2, 2] })],
  ['2x2 of stride 3, which leaves gaps', [16, 9, 11], conv(16, 16, [2, 2], { strides: [3, 3] })],
  ['more padding than the kernel reaches', [16, 5, 5], conv(16, 16, [2, 2], { strides: [2, 2], ...pads(2) })],
  ['depthwise, stride 2', [16, 9, 8], conv(16, 1, [3, 3], { strides: [2, 2], group: 16, ...pads(1) })],
  ['two groups, stride 2', [32, 8, 8], conv(32, 16, [3, 3], { strides: [2, 2], group: 2, ...pads(1) })],
  [
    'a block that halves its image: two gradients by phases',
    [16, 9, 9],
    both(
      conv(32, 16, [1, 1], { strides: [2, 2] }),
      after(conv(32, 16, [3, 3], { strides: [2, 2], ...pads(1) }), relu),
    ),
  ],
  [
    'widened, clipped, halved: by phases to where channels are few',
    [16, 9, 8],
    after(conv(32, 16, [1, 1]), clip(0, 6), halving, clip(0, 6)),
  ],
  [
    'the same with one bound, an image of few channels and a second reader',
    [24, 6, 7],
    both(after(conv(32, 24, [1, 1]), relu, halving), conv(32, 24, [1, 1], { strides: [2, 2] })),
  ],
  [
    'widened and halved, the widened read twice',
    [16, 6, 6],
    after(conv(32, 16, [1, 1]), relu, both(halving, conv(32, 32, [1, 1], { strides: [2, 2] }))),
  ],
  ['widened and halved without an activation', [16, 7, 6], after(conv(32, 16, [1, 1]), halving)],
  ...(
    [
      ['pooled', pool(3, 2, 1)],
      ['halved', conv(32, 16, [4, 4], { strides: [2, 2], ...pads(1) })],
      ['halved by one', conv(32, 16, [1, 1], { strides: [2, 2] })],
      [
        'read by two',
        both(
          conv(32, 16, [1, 1], { strides: [2, 2] }),
          conv(32, 16, [3, 3], { strides: [2, 2], ...pads(1) }),
        ),
      ],
    ] as const
  ).flatMap(([what, next]) =>
    (
      [
        ['3 channels, 7x7 of stride 2', [3, 24, 20], conv(16, 3, [7, 7], { strides: [2, 2], ...pads(3) })],
        ['3 channels, over the edge', [3, 22, 18], conv(16, 3, [3, 3], { strides: [2, 2], ...pads(1) })],
        ['1 channel, 4x4 of stride 2', [1, 16, 12], conv(16, 1, [4, 4], { strides: [2, 2], ...pads(1) })],
        ['4 channels, 3x3', [4, 8, 10], conv(16, 4, [3, 3], pads(1))],
        ['2 channels, 3x2 of stride 3 by 1', [2, 18, 9], conv(16, 2, [3, 2], { strides: [3, 1] })],
      ] as const
    ).map(
      ([name, dims, first]) =>
        [
          `${name}, then ${what}`,
          dims,
          after(first, what === 'read by two' ? clip(0, 6) : relu, next),
        ] as const,
    ),
  ),
  [
    'a pool and a convolution of one image',
    [16, 8, 8],
    both(pool(2, 2, 0), conv(16, 16, [2, 2], { strides: [2, 2] })),
  ],
];

/** Multiples of a quarter, of which many are equal, and which add without rounding. */
const coarse = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => Math.round(4 * Math.sin(17.3 * (i + seed) ** 1.1)) / 4);

const filled = (dims: readonly number[], seed: number) =>
  fromNumbers(
    'float32',
    coarse(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
    dims,
  );

async function gradient(dims: readonly number[], build: Build, lowering: Lowering): Promise<number[]> {
  const x = filled([2, ...dims], 0);
  const graph = Graph.empty(18);
  const y = build(graph, graph.input('x', 'float32', x.dims), (...sizes) => graph.constant(filled(sizes, 5)));
  const shapes = await learnTypes(graph.model, new Map([['x', x]]));
  const seed = graph.constant(filled(shapes.get(y)!.dims as number[], 9));
  const found = differentiate(graph, { of: y, wrt: ['x'], seed, shapes, lowering }).get('x')!;
  graph.output(found, 'float32', x.dims);
  const numbers = numbersOf((await run(graph.model, new Map([['x', x]]))).get(found)!);
  return numbers.map((number) => number + 0);
}

it.each(cases)('both lowerings agree: %s', async (_, dims, build) => {
  const [plain, blocked] = [await gradient(dims, build, 'plain'), await gradient(dims, build, 'blocked')];
  expect(plain.some((number) => number !== 0)).toBe(true);
  expect(blocked).toEqual(plain);
});
