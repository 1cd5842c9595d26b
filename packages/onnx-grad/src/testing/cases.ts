import type { AttributeValue, Graph } from '@gauntlet/onnx';
import { float, int64s } from '@gauntlet/onnx';

/** Builds the op on the input x in a graph of the given dtype; other operands come from `more`. */
export type Build = (
  graph: Graph,
  x: string,
  more: (dims: readonly number[], low?: number, high?: number) => string,
) => string;

/** An op as a function of one input, and the range that the input comes from. */
export interface Case {
  readonly op: string;
  readonly opset: number;
  readonly dims: readonly number[];
  readonly low: number;
  readonly high: number;
  readonly build: Build;
}

/** Ops that opset 20 does not have yet. */
const NEWER = new Set(['Attention', 'RMSNormalization', 'RotaryEmbedding', 'Swish']);

/** Every op that has a gradient, at least once. */
export const cases: Case[] = [];
const of = (op: string, dims: readonly number[], build: Build, low = -1, high = 1) =>
  cases.push({ op, opset: NEWER.has(op) ? 24 : 20, dims, low, high, build });
const unary = (ops: string, low = -1, high = 1, attributes: Record<string, AttributeValue> = {}) =>
  ops.split(' ').forEach((op) => of(op, [3, 4], (graph, x) => graph.node(op, [x], attributes), low, high));

unary(
  'Neg Exp Sin Cos Sinh Cosh Asinh Atan Erf Sigmoid Tanh Softplus Softsign Mish Swish Elu Selu Celu Gelu Identity',
);
unary('Acos Asin Atanh', -0.8, 0.8);
unary('Abs Sqrt Log Reciprocal Tan Relu LeakyRelu HardSigmoid HardSwish Dropout', 0.2, 1.2);
unary('LeakyRelu Elu Relu', -1.2, -0.2);
unary('Acosh ThresholdedRelu Shrink', 1.2, 2);
unary('Softmax LogSoftmax LpNormalization', -2, 2, { axis: 1 });
unary('Trilu');
unary(
  'ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp',
  0.3,
  2,
);
unary('ReduceLogSum', 0.3, 2);
of(
  'Clip',
  [3, 4],
  (graph, x) => graph.node('Clip', [x, graph.node('CastLike', [graph.scalar('float32', -0.5), x])]),
  -0.4,
  1,
);
for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sum', 'Mean']) {
  of(op, [2, 3, 4], (graph, x, more) => graph.node(op, [x, more([3, 1], 0.5, 1.5)]));
  of(op, [3, 1], (graph, x, more) => graph.node(op, [more([2, 3, 4]), x]), 0.5, 1.5);
}
of('Pow', [3, 4], (graph, x, more) => graph.node('Pow', [x, more([4])]), 0.3, 2);
of('Pow', [4], (graph, x, more) => graph.node('Pow', [more([3, 4], 0.3, 2), x]));
of('Mod', [3, 4], (graph, x, more) => graph.node('Mod', [x, more([4], 0.6, 0.9)], { fmod: 1 }), 0.1, 0.5);
of('PRelu', [3, 4], (graph, x, more) => graph.node('PRelu', [x, more([4])]));
of('Where', [4], (graph, x, more) =>
  graph.node('Where', [graph.node('Greater', [more([3, 4]), more([4])]), x, more([3, 4])]),
);
of('MatMul', [2, 3, 4], (graph, x, more) => graph.node('MatMul', [x, more([4, 5])]));
of('MatMul', [4, 5], (graph, x, more) => graph.node('MatMul', [more([2, 3, 4]), x]));
of('Gemm', [4, 3], (graph, x, more) =>
  graph.node('Gemm', [x, more([4, 5]), more([5])], { transA: 1, alpha: float(0.5) }),
);
of('Einsum', [2, 3, 4], (graph, x, more) =>
  graph.node('Einsum', [x, more([4, 5])], { equation: 'bij,jk->bki' }),
);
of('Conv', [2, 4, 7, 6], (graph, x, more) =>
  graph.node('Conv', [x, more([6, 2, 3, 2])], { group: 2, strides: [2, 1], pads: [1, 0, 0, 1] }),
);
of('Conv', [6, 4, 3, 3], (graph, x, more) =>
  graph.node('Conv', [more([2, 4, 7, 7]), x], { strides: [2, 2], dilations: [2, 1] }),
);
of('ConvTranspose', [2, 4, 5, 4], (graph, x, more) =>
  graph.node('ConvTranspose', [x, more([4, 3, 3, 3])], { strides: [2, 2], output_padding: [1, 0] }),
);
for (const op of ['MaxPool', 'AveragePool', 'LpPool']) {
  of(
    op,
    [1, 2, 7, 7],
    (graph, x) => graph.node(op, [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    0.1,
    3,
  );
}
unary('Flatten');
for (const op of ['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'])
  of(op, [2, 3, 4, 4], (graph, x) => graph.node(op, [x]), 0.1, 3);
of('BatchNormalization', [2, 3, 4], (graph, x, more) =>
  graph.node('BatchNormalization', [x, more([3]), more([3]), more([3]), more([3], 1, 2)]),
);
of('InstanceNormalization', [2, 3, 4, 4], (graph, x, more) =>
  graph.node('InstanceNormalization', [x, more([3]), more([3])]),
);
of('LayerNormalization', [2, 3, 5], (graph, x, more) =>
  graph.node('LayerNormalization', [x, more([5]), more([5])]),
);
of('GroupNormalization', [2, 4, 3], (graph, x, more) =>
  graph.node('GroupNormalization', [x, more([2]), more([2])], { num_groups: 2 }),
);
of('RMSNormalization', [2, 3, 5], (graph, x, more) => graph.node('RMSNormalization', [x, more([5])]));
of('LRN', [2, 5, 3, 3], (graph, x) => graph.node('LRN', [x], { size: 5, alpha: float(0.5) }));
of('MeanVarianceNormalization', [2, 3, 4, 4], (graph, x) => graph.node('MeanVarianceNormalization', [x]));
of('Reshape', [3, 4], (graph, x) => graph.node('Reshape', [x, graph.ints([2, -1])]));
of('Transpose', [2, 3, 4], (graph, x) => graph.node('Transpose', [x], { perm: [2, 0, 1] }));
of('Squeeze', [2, 1, 3], (graph, x) => graph.node('Squeeze', [x, graph.ints([1])]));
of('Unsqueeze', [2, 3], (graph, x) => graph.node('Unsqueeze', [x, graph.ints([-1])]));
of('Expand', [3, 1], (graph, x) => graph.node('Expand', [x, graph.ints([2, 3, 4])]));
of('Tile', [2, 3], (graph, x) => graph.node('Tile', [x, graph.ints([2, 3])]));
of('Concat', [2, 3], (graph, x, more) => graph.node('Concat', [more([2, 1]), x, x], { axis: 1 }));
of('Split', [2, 6], (graph, x) => graph.nodes('Split', [x, graph.ints([2, 4])], 2, { axis: 1 })[1]!);
of('Slice', [5, 6], (graph, x) =>
  graph.node('Slice', [x, graph.ints([-1, 1]), graph.ints([-9, 6]), graph.ints([0, 1]), graph.ints([-2, 2])]),
);
of('Pad', [3, 4], (graph, x) => graph.node('Pad', [x, graph.ints([1, -1, 2, 3])]));
of('Pad', [3, 4], (graph, x) => graph.node('Pad', [x, graph.ints([1, 0, 2, 3])], { mode: 'reflect' }));
of('Pad', [3, 5], (graph, x) =>
  graph.node('Pad', [x, graph.ints([2, -1]), '', graph.ints([-1])], { mode: 'wrap' }),
);
of('Gather', [3, 4], (graph, x) =>
  graph.node('Gather', [x, graph.constant(int64s([2, 0, 2, -1], [2, 2]))], { axis: 1 }),
);
of('GatherElements', [2, 3], (graph, x) =>
  graph.node('GatherElements', [x, graph.constant(int64s([0, 1, 1, 0], [2, 2]))], { axis: 1 }),
);
of('GatherND', [2, 3], (graph, x) =>
  graph.node('GatherND', [x, graph.constant(int64s([1, 2, 0, 0], [2, 2]))]),
);
of('ScatterElements', [2, 2], (graph, x, more) =>
  graph.node('ScatterElements', [more([2, 3]), graph.constant(int64s([0, 1, 2, 0], [2, 2])), x], { axis: 1 }),
);
of('ScatterND', [2, 3], (graph, x, more) =>
  graph.node('ScatterND', [x, graph.constant(int64s([1], [1, 1])), more([1, 3])]),
);
of('Compress', [3, 4], (graph, x) =>
  graph.node('Compress', [x, graph.constant({ dtype: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) })], {
    axis: 1,
  }),
);
of('MaxUnpool', [1, 1, 2, 2], (graph, x) =>
  graph.node('MaxUnpool', [x, graph.constant(int64s([0, 7, 9, 14], [1, 1, 2, 2]))], {
    kernel_shape: [2, 2],
    strides: [2, 2],
  }),
);
of('CenterCropPad', [5, 4], (graph, x) => graph.node('CenterCropPad', [x, graph.ints([2, 7])]));
of('Col2Im', [2, 8, 6], (graph, x) =>
  graph.node('Col2Im', [x, graph.ints([3, 4]), graph.ints([2, 2])], { pads: [0, 0, 0, 0] }),
);
of('Attention', [2, 6, 8], (graph, x, more) =>
  graph.node('Attention', [x, more([2, 3, 4]), more([2, 3, 6])], {
    q_num_heads: 4,
    kv_num_heads: 2,
    is_causal: 1,
  }),
);
/** Images, weights, offsets, bias and masks of a DeformConv, one of which is the input. */
const deformed = (at: number, shapes: readonly (readonly number[])[], low: number, high: number) =>
  of(
    'DeformConv',
    shapes[at]!,
    (graph, x, more) => {
      const inputs = shapes.map((dims, i) => (i === at ? x : i === 2 ? more(dims, -1.9, 1.9) : more(dims)));
      const window = { strides: [2, 1], dilations: [1, 2], pads: [1, 0, 1, 2] };
      return graph.node('DeformConv', inputs, { ...window, group: 2, offset_group: 2 });
    },
    low,
    high,
  );
const deformation = [[2, 4, 5, 6], [6, 2, 3, 3], [2, 36, 3, 4], [6], [2, 18, 3, 4]];
for (const at of [0, 1, 3, 4]) deformed(at, deformation, -1, 1);
deformed(2, deformation, 0.1, 0.9);
of('GridSample', [1, 2, 4, 5], (graph, x, more) =>
  graph.node('GridSample', [x, more([1, 2, 3, 2], -1.2, 1.2)]),
);
of(
  'GridSample',
  [1, 2, 1, 2],
  (graph, x, more) => graph.node('GridSample', [more([1, 2, 4, 5]), x], { mode: 'cubic' }),
  -0.9,
  0.9,
);
of('AffineGrid', [2, 2, 3], (graph, x) => graph.node('AffineGrid', [x, graph.ints([2, 1, 3, 4])]));
for (const op of ['NegativeLogLikelihoodLoss', 'SoftmaxCrossEntropyLoss']) {
  of(op, [3, 4], (graph, x, more) =>
    graph.node(op, [x, graph.constant(int64s([3, 0, 1])), more([4], 0.5, 2)], { ignore_index: 0 }),
  );
}
of('RotaryEmbedding', [2, 3, 8], (graph, x, more) =>
  graph.node('RotaryEmbedding', [x, more([2, 3, 2]), more([2, 3, 2])], { num_heads: 2 }),
);
of('OneHot', [2], (graph, x) =>
  graph.node('OneHot', [graph.constant(int64s([1, 0, 5, -1], [2, 2])), graph.ints([4]), x], { axis: 1 }),
);
for (const k of [0, 2]) {
  of(
    'Range',
    [1],
    (graph, x, more) => {
      const scalar = (name: string) => graph.node('Squeeze', [name]);
      const ends = [more([1], -2, -1), more([1], 5, 6), more([1], 1, 1)];
      return graph.node('Range', ends.with(k, x).map(scalar));
    },
    0.9,
    1.1,
  );
}
of('TopK', [3, 5], (graph, x) => graph.nodes('TopK', [x, graph.ints([2])], 2)[0]!);
of('CumSum', [3, 4], (graph, x) =>
  graph.node('CumSum', [x, graph.constant(int64s([1], []))], { exclusive: 1 }),
);
of('DepthToSpace', [1, 8, 2, 3], (graph, x) =>
  graph.node('DepthToSpace', [x], { blocksize: 2, mode: 'CRD' }),
);
of('SpaceToDepth', [1, 2, 4, 6], (graph, x) => graph.node('SpaceToDepth', [x], { blocksize: 2 }));
of('ReverseSequence', [3, 2], (graph, x) =>
  graph.node('ReverseSequence', [x, graph.constant(int64s([2, 3]))]),
);
of('Resize', [1, 2, 3, 4], (graph, x) =>
  graph.node(
    'Resize',
    [x, '', graph.constant({ dtype: 'float32', dims: [4], data: Float32Array.of(1, 1, 2, 1.5) })],
    { mode: 'linear' },
  ),
);
for (const keep_aspect_ratio_policy of ['not_larger', 'not_smaller']) {
  of('Resize', [1, 2, 7, 5], (graph, x) =>
    graph.node('Resize', [x, '', '', graph.ints([10, 11])], {
      mode: 'linear',
      axes: [2, 3],
      keep_aspect_ratio_policy,
    }),
  );
}
for (const inverse of [0, 1]) {
  of('DFT', [2, 5, 2], (graph, x) =>
    graph.node('DFT', [x, graph.constant(int64s([7], [])), graph.constant(int64s([-2], []))], { inverse }),
  );
}
of('DFT', [6, 2, 1], (graph, x) =>
  graph.node('DFT', [x, graph.constant(int64s([4], [])), graph.constant(int64s([0], []))], { onesided: 1 }),
);
of('STFT', [2, 11, 1], (graph, x, more) =>
  graph.node('STFT', [x, graph.constant(int64s([3], [])), more([5])]),
);
of('STFT', [1, 8, 2], (graph, x) =>
  graph.node('STFT', [x, graph.constant(int64s([2], [])), '', graph.constant(int64s([4], []))], {
    onesided: 0,
  }),
);
of('Cast', [3, 4], (graph, x) => graph.node('Cast', [x], { to: 11 }));
of('CastLike', [3, 4], (graph, x, more) => graph.node('CastLike', [x, more([1])]));
for (const [op, gates] of [
  ['RNN', 1],
  ['GRU', 3],
  ['LSTM', 4],
] as const) {
  of(
    op,
    [3, 2, 4],
    (graph, x, more) =>
      graph.nodes(op, [x, more([1, gates * 5, 4]), more([1, gates * 5, 5]), more([1, gates * 10])], 1, {
        hidden_size: 5,
      })[0]!,
  );
}
