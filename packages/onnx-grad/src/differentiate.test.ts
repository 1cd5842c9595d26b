import { Graph, OnnxError, readModel, writeModel } from '@gauntlet/onnx';

import { differentiate, gradientModel } from './index.js';
import { run } from './testing/run.js';

const f32 = (dims: number[], values: number[]) =>
  ({ dtype: 'float32', dims, data: Float32Array.from(values) }) as const;

/** y = relu(x W) with x [N, 2] and W [2, 2]. */
function layer(): Graph {
  const graph = Graph.empty(18);
  const x = graph.input('x', 'float32', ['N', 2]);
  const w = graph.constant(f32([2, 2], [1, -1, 2, 3]), 'w');
  graph.output(graph.node('Relu', [graph.node('MatMul', [x, w])], {}, { outputs: ['y'] }), 'float32', [
    'N',
    2,
  ]);
  return graph;
}

test('a gradient model is a model with a cotangent in and gradients out', async () => {
  const model = gradientModel(layer().model, { wrt: ['x', 'w_0'] });
  const feeds = new Map([
    ['x', f32([2, 2], [1, 1, 1, -1])],
    ['cotangent', f32([2, 2], [1, 10, 100, 1000])],
  ]);
  const found = await run(readModel(writeModel(model)), feeds);
  expect([...found.get('y')!.data]).toEqual([3, 2, 0, 0]);
  expect([...found.get('gradient:x')!.data]).toEqual([1 - 10, 2 + 30, 0, 0]);
  expect([...found.get('gradient:w_0')!.data]).toEqual([1, 10, 1, 10]);
});

test('without a seed, the sum is differentiated', async () => {
  const graph = layer();
  const loss = graph.node('ReduceSum', ['y', graph.ints([1])], { keepdims: 0 });
  const gradient = differentiate(graph, {
    of: loss,
    wrt: ['x'],
    shapes: new Map([
      ['x', { dtype: 'float32', dims: ['N', 2] }],
      ['w_0', { dtype: 'float32', dims: [2, 2] }],
    ]),
  }).get('x')!;
  graph.output(gradient, 'float32', ['N', 2]);
  const found = await run(graph.model, new Map([['x', f32([1, 2], [1, 1])]]));
  expect([...found.get(gradient)!.data]).toEqual([0, 5]);
});

test('every layer adds as many nodes', () => {
  const nodesOf = (layers: number) => {
    const graph = Graph.empty(23);
    let x = graph.input('x', 'float32', ['N', 3, 4]);
    for (let i = 0; i < layers; i++) {
      const heads = { q_num_heads: 2, kv_num_heads: 2 };
      x = graph.node('Add', [x, graph.node('Attention', [x, x, x], heads)]);
      x = graph.node('Relu', [graph.node('MatMul', [x, graph.constant(f32([4, 4], Array(16).fill(i)))])]);
    }
    graph.output(x, 'float32', ['N', 3, 4]);
    const shapes = new Map(
      graph.proto.node.flatMap(({ output }) =>
        output.map((name) => [name, { dtype: 'float32', dims: ['N', 3, 4] }] as const),
      ),
    );
    return gradientModel(graph.model, { shapes }).graph!.node.length;
  };
  const [few, more, many] = [20, 40, 80].map(nodesOf) as [number, number, number];
  expect(many - more).toBe(2 * (more - few));
});

test('an op without a rule is named', () => {
  const graph = layer();
  graph.node('Det', ['y'], {}, { outputs: ['d'] });
  const shapes = new Map([
    ['x', { dtype: 'float32', dims: ['N', 2] } as const],
    ['w_0', { dtype: 'float32', dims: [2, 2] } as const],
    ['d', { dtype: 'float32', dims: [] } as const],
  ]);
  expect(() => differentiate(graph, { of: 'd', wrt: ['x'], shapes })).toThrow(OnnxError);
  expect(() => differentiate(graph, { of: 'd', wrt: ['x'], shapes })).toThrow(
    'Unexpected op Det at node Det of "d"',
  );
});

test('an input that a rule has no gradient for is refused, not given zeros', () => {
  const graph = Graph.empty(18);
  const scales = graph.input('x', 'float32', [2]);
  const image = graph.constant(f32([2, 2], [1, 2, 3, 4]));
  graph.node('Resize', [image, '', scales], {}, { outputs: ['y'] });
  const shapes = new Map([['y', { dtype: 'float32', dims: [4, 4] } as const]]);
  expect(() => differentiate(graph, { of: 'y', wrt: ['x'], shapes })).toThrow(
    'Unexpected gradient of input 2 ("x") at node Resize of "y"',
  );
});
