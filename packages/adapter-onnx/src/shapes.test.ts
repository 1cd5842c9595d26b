import type { Loss, OpenModel } from '@gauntlet/core';
import type { Graph } from '@gauntlet/onnx';
import { tensor } from '@gauntlet/tensor';
import { openOnnx } from './index.js';
import { chain, temporary } from './testing/files.js';

const folder = temporary();
afterAll(() => folder.remove());

const flat = (graph: Graph, x: string) => graph.node('Reshape', [x, graph.ints([-1])]);
const over = (graph: Graph, x: string) =>
  graph.node('Greater', [flat(graph, x), graph.scalar('float32', 0.5)]);
const total = (graph: Graph, x: string) => graph.node('ReduceSum', [x], { keepdims: 0 });
const zeros = (graph: Graph, count: string) => graph.node('ConstantOfShape', [count]);
/** The sum of the sample rounded down, as a list of one number. */
const whole = (graph: Graph, x: string) =>
  graph.node('Unsqueeze', [graph.node('Cast', [total(graph, x)], { to: 7 }), graph.ints([0])]);

const X = [0.9, 0.2, 0.7, 0.6];

describe('a size that follows the data', () => {
  // scores = x s(x), so that the gradient of score 1 is s by its own number, and 0.2 times the gradient of s by each.
  it.each<[string, (graph: Graph, x: string) => string, number, readonly number[], (number | string)[]?]>([
    [
      'sum of what is over a half',
      (graph, x) => total(graph, graph.node('Compress', [x, over(graph, x)])),
      2.2,
      [1, 0, 1, 1],
    ],
    [
      'mean of what is over a half',
      (graph, x) => graph.node('ReduceMean', [graph.node('Compress', [x, over(graph, x)])], { keepdims: 0 }),
      2.2 / 3,
      [1 / 3, 0, 1 / 3, 1 / 3],
    ],
    [
      'sum of these and the last two',
      (graph, x) => {
        const both = [
          graph.node('Compress', [x, over(graph, x)]),
          graph.node('Slice', [flat(graph, x), ...[2, 4].map((at) => graph.ints([at]))]),
        ];
        return graph.node('ReduceSum', [graph.node('Concat', both, { axis: 0 })], { keepdims: 0 });
      },
      2.2 + 1.3,
      [1, 0, 2, 2],
    ],
    [
      'gathered by what is not zero',
      (graph, x) => {
        const rest = graph.node('Relu', [graph.node('Sub', [x, graph.scalar('float32', 0.5)])]);
        return total(
          graph,
          graph.node('GatherND', [x, graph.node('Transpose', [graph.node('NonZero', [rest])])]),
        );
      },
      2.2,
      [1, 0, 1, 1],
    ],
    [
      'sliced up to a number of the data',
      (graph, x) => total(graph, graph.node('Slice', [flat(graph, x), graph.ints([0]), whole(graph, x)])),
      1.1,
      [1, 1, 0, 0],
      ['N'],
    ],
    [
      'padded by it',
      (graph, x) =>
        total(graph, graph.node('Concat', [flat(graph, x), zeros(graph, whole(graph, x))], { axis: 0 })),
      2.4,
      [1, 1, 1, 1],
    ],
  ])(
    '%s has its gradient, at any batch size and at one',
    async (_name, body, s, slopes, batches = ['N', 1]) => {
      const loss: Loss = {
        term: { op: 'pick', class: 'own' },
        classes: { own: Int32Array.of(1) },
        given: {},
      };
      for (const batch of batches) {
        const path = folder.model(chain([batch, 4], (graph, x) => graph.node('Mul', [x, body(graph, x)])));
        const model = (await openOnnx(path, { bounds: [0, 1], trial: false })) as OpenModel<'gradients'>;
        const { gradient } = await model.gradient(tensor(Float32Array.from(X), [1, 4]), loss);
        slopes.forEach((slope, i) =>
          expect(gradient.data[i]).toBeCloseTo(0.2 * slope + (i === 1 ? s : 0), 5),
        );
        await model.close();
      }
    },
  );
});
