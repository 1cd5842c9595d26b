import type { OpenModel } from '@gauntlet/core';
import { LOSSES } from '@gauntlet/kit';
import { type DType, fromNumbers, type Graph } from '@gauntlet/onnx';
import { tensor } from '@gauntlet/tensor';
import { openOnnx } from './index.js';
import { temporary } from './testing/files.js';

const folder = temporary();
afterAll(() => folder.remove());

type Weights = (...dims: number[]) => string;

/** Bodies that take [N, 3, 4] to [N, 3, 5], of ops for which ONNX Runtime has no float16 kernels. */
const BODIES: Readonly<Record<string, (graph: Graph, x: string, weights: Weights) => string>> = {
  'a product of a transpose': (graph, x, weights) => {
    const turned = graph.node('Transpose', [x], { perm: [1, 0, 2] });
    return graph.node('Transpose', [graph.node('MatMul', [turned, weights(4, 5)])], { perm: [1, 0, 2] });
  },
  'a scale that two ops read': (graph, x, weights) => {
    const scale = weights(4);
    const product = graph.node('MatMul', [graph.node('RMSNormalization', [x, scale]), weights(4, 4)]);
    return graph.node('MatMul', [graph.node('RMSNormalization', [product, scale]), weights(4, 5)]);
  },
  'a recurrent layer': (graph, x, weights) => {
    const turned = graph.node('Transpose', [x], { perm: [1, 0, 2] });
    const [all] = graph.nodes('GRU', [turned, weights(1, 15, 4), weights(1, 15, 5)], 1, { hidden_size: 5 });
    return graph.node('Transpose', [graph.node('Squeeze', [all!, graph.ints([1])])], { perm: [1, 0, 2] });
  },
};

const open = async (dtype: DType, body: (typeof BODIES)[string]) => {
  const path = folder.model((graph) => {
    const weights: Weights = (...dims) => {
      const size = dims.reduce((product, dim) => product * dim);
      const values = Array.from({ length: size }, (_, i) => Math.sin(3 * i + size));
      return graph.constant(fromNumbers(dtype, values, dims), 'weights');
    };
    const made = body(graph, graph.input('x', dtype, ['N', 3, 4]), weights);
    graph.nodes('ReduceSum', [made, graph.ints([1])], 1, { keepdims: 0 }, { outputs: ['y'] });
    graph.output('y', dtype, ['N', 5]);
  }, 23);
  return (await openOnnx(path, { bounds: [0, 1], trial: false })) as OpenModel<'gradients'>;
};

it.each(Object.entries(BODIES))(
  '%s in float16 has the gradient that it has in float32',
  async (_name, body) => {
    const x = tensor(
      Float32Array.from({ length: 24 }, (_, i) => Math.abs(Math.cos(i))),
      [2, 3, 4],
    );
    const loss = LOSSES.margin({ kind: 'untargeted', classes: Int32Array.of(0, 3), confidence: 0 });
    const [half, single] = [await open('float16', body), await open('float32', body)];
    const [found, expected] = [await half.gradient(x, loss), await single.gradient(x, loss)];
    const distance = (a: Float32Array, b?: Float32Array) =>
      Math.hypot(...a.map((value, i) => value - (b?.[i] ?? 0)));
    for (const key of ['gradient', 'scores'] as const) {
      const truth = expected[key].data;
      expect(distance(truth)).toBeGreaterThan(0.1);
      expect(distance(found[key].data, truth) / distance(truth)).toBeLessThan(5e-3);
    }
    await half.close();
    await single.close();
  },
);
