import { Graph, type TensorType } from '@gauntlet/onnx';

import { freshWeight, promote, type Weight, weightsOf } from './index.js';

/** Builds a graph over `x`; `w` makes an initialiser of the given name and sizes. */
function built(body: (graph: Graph, w: (name: string, ...dims: number[]) => string) => void) {
  const graph = Graph.empty(18);
  graph.input('x', 'float32', ['N', 4]);
  const types = new Map<string, TensorType>();
  body(graph, (name, ...dims) => {
    const size = dims.reduce((product, n) => product * n, 1);
    const made = graph.constant(
      { dtype: 'float32', dims, data: new Float32Array(size).fill(graph.proto.initializer.length + 1) },
      name,
    );
    types.set(made, { dtype: 'float32', dims });
    return made;
  });
  return { graph, types };
}

const found = (...args: Parameters<typeof built>) => {
  const { graph, types } = built(...args);
  return weightsOf(graph, types).map(({ name, role, fan }) => [name.replace(/_\d+$/, ''), role, fan]);
};

describe('weightsOf', () => {
  it('knows what initialisers do in their layers', () => {
    expect(
      found((graph, w) => {
        const a = graph.node('Gemm', ['x', w('gemm', 5, 4), w('gemm-bias', 5)], { transB: 1 });
        const b = graph.node('MatMul', [a, w('matmul', 5, 6)]);
        const c = graph.node('Conv', [b, w('conv', 8, 2, 3, 3), w('conv-bias', 8)]);
        const d = graph.node('ConvTranspose', [c, w('transposed', 8, 3, 2, 2)]);
        const e = graph.node('BatchNormalization', [
          d,
          w('scale', 3),
          w('shift', 3),
          w('mean', 3),
          w('var', 3),
        ]);
        const f = graph.node('PRelu', [e, w('slope', 1)]);
        graph.node('LSTM', [f, w('lstm-w', 1, 8, 3), w('lstm-r', 1, 8, 2), w('lstm-b', 1, 16)]);
        graph.node('Gather', [w('table', 10, 3), 'places']);
      }),
    ).toEqual([
      ['gemm', 'kernel', 4],
      ['gemm-bias', 'bias', 4],
      ['matmul', 'kernel', 5],
      ['conv', 'kernel', 18],
      ['conv-bias', 'bias', 18],
      ['transposed', 'kernel', 12],
      ['scale', 'scale', 1],
      ['shift', 'shift', 1],
      ['slope', 'slope', 1],
      ['lstm-w', 'recurrent', 2],
      ['lstm-r', 'recurrent', 2],
      ['lstm-b', 'recurrent', 2],
      ['table', 'table', 1],
    ]);
  });

  it('takes what stands beside a layer, but neither scalars nor what normalises the input', () => {
    expect(
      found((graph, w) => {
        const a = graph.node('Mul', [graph.node('Add', ['x', w('mean', 4)]), w('deviation', 4)]);
        const b = graph.node('MatMul', [a, w('kernel', 4, 4)]);
        const c = graph.node('Add', [w('bias', 4), b]);
        const d = graph.node('Mul', [c, w('temperature', 1)]);
        graph.node('Concat', [graph.node('Mul', [d, w('layer-scale', 4)]), w('token', 1, 4)], { axis: 0 });
        graph.node('Sub', [d, w('subtracted', 4)]);
      }).map(([name, role]) => [name, role]),
    ).toEqual([
      ['kernel', 'kernel'],
      ['bias', 'shift'],
      ['layer-scale', 'scale'],
      ['token', 'table'],
    ]);
  });

  it('follows weights through nodes that only turn, cut or join them, and counts shared ones once', () => {
    expect(
      found((graph, w) => {
        const shared = w('shared', 4, 4);
        const a = graph.node('MatMul', ['x', graph.node('Transpose', [shared])]);
        const b = graph.node('MatMul', [a, shared]);
        const joined = graph.node('Concat', [w('left', 4, 2), w('right', 4, 2)], { axis: 1 });
        graph.node('MatMul', [b, graph.node('Identity', [joined])]);
      }).map(([name]) => name),
    ).toEqual(['shared', 'left', 'right']);
  });

  it('leaves out what is no float32 constant, and ops of other domains', () => {
    const { graph, types } = built((own, w) => {
      const half = own.constant({ dtype: 'float16', dims: [4, 4], data: new Uint16Array(16) }, 'half');
      own.node('MatMul', ['x', half]);
      own.node('MatMul', ['x', 'other']);
      own.node('MatMul', ['x', w('foreign', 4, 4)], {}, { domain: 'example.org' });
      own.node('MatMul', ['x', own.input('fed', 'float32', [4, 4])]);
    });
    expect(weightsOf(graph, types)).toEqual([]);
  });
});

describe('freshWeight', () => {
  const weight = (role: Weight['role'], ...dims: number[]): Weight => ({ name: role, dims, role, fan: 25 });
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = (values: Float32Array) => mean(values.map((value) => value ** 2));

  it.each(['kernel', 'bias', 'recurrent'] as const)('%s: uniform within 1 / sqrt(fan)', (role) => {
    const values = freshWeight(weight(role, 100, 100), 0);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.2);
    expect(mean(values)).toBeCloseTo(0, 2);
    expect(square(values)).toBeCloseTo(0.2 ** 2 / 3, 3);
  });

  it.each([
    ['scale', [7], 1],
    ['slope', [1], 0.25],
    ['shift', [1, 7, 1], 0],
  ] as const)('%s: constant', (role, dims, value) => {
    expect(new Set(freshWeight(weight(role, ...dims), 0))).toEqual(new Set([value]));
  });

  it.each([
    ['table', [100, 100]],
    ['shift', [1, 100, 100]],
  ] as const)('%s of several axes: normal', (role, dims) => {
    const values = freshWeight(weight(role, ...dims), 0);
    expect(Math.sqrt(square(values))).toBeCloseTo(0.02, 3);
  });

  it('is the same for the same seed and name, another for others', () => {
    const one = weight('kernel', 3, 3);
    expect(freshWeight(one, 1)).toEqual(freshWeight(one, 1));
    expect(freshWeight(one, 1)).not.toEqual(freshWeight(one, 2));
    expect(freshWeight(one, 1)).not.toEqual(freshWeight({ ...one, name: 'other' }, 1));
  });
});

describe('promote', () => {
  it('makes inputs of initialisers and gives what they held', () => {
    const { graph } = built((own, w) => void own.node('MatMul', ['x', w('kernel', 4, 4)]));
    const [name] = graph.proto.initializer.map((proto) => proto.name) as [string];
    const held = promote(graph.model, [name]);
    expect(held.get(name)).toMatchObject({ dtype: 'float32', dims: [4, 4] });
    expect(graph.proto.initializer).toEqual([]);
    expect(graph.proto.input.map((input) => input.name)).toEqual(['x', name]);
    expect(() => promote(graph.model, ['nothing'])).toThrow(/^Unexpected name "nothing"/);
  });
});
