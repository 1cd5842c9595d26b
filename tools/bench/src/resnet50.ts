import { Graph, writeModel } from '@gauntlet/onnx';
import { stream } from '@gauntlet/tensor';

/** Blocks, and channels inside each, of the four stages (He et al. 2016, arXiv:1512.03385, table 1). */
const STAGES = [
  [3, 64],
  [4, 128],
  [6, 256],
  [3, 512],
] as const;

/** ResNet-50 as exporters write it, BatchNorm folded, with random weights: input `x` [N, 3, 224, 224], output `scores` [N, 1000]. */
export function resnet50(): Uint8Array {
  const graph = Graph.empty(18);
  const random = stream('resnet50');
  const weights = (dims: readonly number[], scale: number) =>
    graph.constant({
      dtype: 'float32',
      dims,
      data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal() * scale),
    });
  const conv = (x: string, from: number, to: number, size: number, stride: number) => {
    const pad = (size - 1) / 2;
    const inputs = [
      x,
      weights([to, from, size, size], 1 / Math.sqrt(from * size * size)),
      weights([to], 0.1),
    ];
    const attributes = { kernel_shape: [size, size], strides: [stride, stride], pads: [pad, pad, pad, pad] };
    return graph.node('Conv', inputs, attributes);
  };
  const relu = (x: string) => graph.node('Relu', [x]);
  const pool = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };

  let at = relu(conv(graph.input('x', 'float32', ['N', 3, 224, 224]), 3, 64, 7, 2));
  at = graph.node('MaxPool', [at], pool);
  let from = 64;
  for (const [stage, [blocks, width]] of STAGES.entries()) {
    for (let block = 0; block < blocks; block++) {
      const stride = block === 0 && stage > 0 ? 2 : 1;
      const to = 4 * width;
      const inner = relu(conv(relu(conv(at, from, width, 1, 1)), width, width, 3, stride));
      const short = block === 0 ? conv(at, from, to, 1, stride) : at;
      at = relu(graph.node('Add', [conv(inner, width, to, 1, 1), short]));
      from = to;
    }
  }
  const features = graph.node('Flatten', [graph.node('GlobalAveragePool', [at])]);
  graph.nodes(
    'Gemm',
    [features, weights([from, 1000], 0.02), weights([1000], 0.1)],
    1,
    {},
    { outputs: ['scores'] },
  );
  graph.output('scores', 'float32', ['N', 1000]);
  return writeModel(graph.model);
}
