import type { AttributeValue, DType } from '@gauntlet/onnx';
import { float, fromNumbers, Graph } from '@gauntlet/onnx';

import { numbers } from './differences.js';

/** A quantised tensor by names: levels, scale, zero point. */
type Levels = readonly [value: string, scale: string, zero: string];

/** The builder of one of two graphs that stand for the same, and constants that both are given alike. */
interface Kit {
  readonly graph: Graph;
  /** A constant of levels between -100 and 100, with its scale (one, or one for each place along an axis) and its zero point. */
  weights(dims: readonly number[], dtype: DType, scales?: number): Levels;
  /** Integers that are no levels: a bias. */
  integers(dims: readonly number[]): string;
  /** A node of ONNX Runtime's own. */
  own(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, AttributeValue>>): string;
  /** What levels stand for. */
  dequantised(levels: Levels, axis?: number): string;
  /** What a bias stands for: an integer by the product of scales. */
  scaled(bias: string, ...scales: readonly string[]): string;
}

/** One op on integers, in two forms. */
export interface Case {
  readonly op: string;
  readonly dims: readonly number[];
  /** The form under test: what it gives is dequantised, unless it is a float tensor. */
  form(kit: Kit, x: Levels, y: readonly [scale: string, zero: string]): string;
  /** The same in floats. */
  float(kit: Kit, x: string, levels: Levels): string;
  /** Scale and zero point of the output; a float output has none. */
  readonly y?: readonly [scale: number, zero: number] | undefined;
  /** Whether integers come from a DynamicQuantizeLinear, or the op takes floats. */
  readonly from?: 'dynamic' | 'floats';
}

const image = [2, 3, 5, 5];
const matrix = [4, 6];

const unary = (
  op: string,
  float: string,
  attributes: Readonly<Record<string, AttributeValue>> = {},
  y: Case['y'] = [0.01, 128],
): Case => ({
  op: `com.microsoft.${op}`,
  dims: image,
  y,
  form: ({ own }, x, out) =>
    own(op, [...x, ...out], {
      ...attributes,
      ...(op.endsWith('Pool') && { channels_last: 0 }),
      ...(op === 'QLinearSoftmax' && { opset: 13 }),
    }),
  float: ({ graph }, x) => graph.node(float, [x], attributes),
});

const binary = (op: string, float: string): Case => ({
  op: `com.microsoft.${op}`,
  dims: image,
  y: [0.01, 100],
  form: ({ own, weights }, x, out) => own(op, [...x, ...weights([3, 1, 1], 'uint8'), ...out]),
  float: ({ graph, weights, dequantised }, x) =>
    graph.node(float, [x, dequantised(weights([3, 1, 1], 'uint8'))]),
});

const window = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };

/** One case, or several, for each op. */
export const cases: readonly Case[] = [
  ...[undefined, 4].map((scales): Case => ({
    op: 'QLinearConv',
    dims: image,
    y: [0.008, 110],
    form({ graph, weights, integers }, x, out) {
      const inputs = [...x, ...weights([4, 3, 3, 3], 'int8', scales), ...out, integers([4])];
      return graph.node('QLinearConv', inputs, window);
    },
    float({ graph, weights, integers, dequantised, scaled }, x, [, scale]) {
      const w = weights([4, 3, 3, 3], 'int8', scales);
      return graph.node('Conv', [x, dequantised(w, 0), scaled(integers([4]), scale, w[1])], window);
    },
  })),
  ...[undefined, 5].map((scales): Case => ({
    op: 'QLinearMatMul',
    dims: matrix,
    y: [0.008, 100],
    form: ({ graph, weights }, x, out) =>
      graph.node('QLinearMatMul', [...x, ...weights([6, 5], 'int8', scales), ...out]),
    float: ({ graph, weights, dequantised }, x) =>
      graph.node('MatMul', [x, dequantised(weights([6, 5], 'int8', scales), 1)]),
  })),
  ...(
    [
      [0, undefined, [0.008, 100]],
      [1, 5, [0.008, 100]],
      [1, undefined, undefined],
    ] as const
  ).map(([transB, scales, y]): Case => ({
    op: 'com.microsoft.QGemm',
    dims: matrix,
    y,
    form({ own, weights, integers }, x, out) {
      const w = weights(transB === 0 ? [6, 5] : [5, 6], 'uint8', scales);
      return own('QGemm', [...x, ...w, integers([5]), ...(y === undefined ? [] : out)], {
        alpha: float(0.7),
        transB,
      });
    },
    float({ graph, weights, integers, dequantised, scaled }, x, [, scale]) {
      const w = weights(transB === 0 ? [6, 5] : [5, 6], 'uint8', scales);
      const bias = graph.node('Mul', [scaled(integers([5]), scale, w[1]), graph.scalar('float32', 0.7)]);
      return graph.node('Gemm', [x, dequantised(w, transB === 0 ? 1 : 0), bias], {
        alpha: float(0.7),
        transB,
      });
    },
  })),
  {
    op: 'com.microsoft.QuantizeLinear',
    dims: matrix,
    from: 'floats',
    form({ graph, own }, [x]) {
      const levels = [graph.scalar('float32', 0.5), graph.constant(fromNumbers('uint8', [254], []))];
      return own('DequantizeLinear', [own('QuantizeLinear', [x, ...levels]), ...levels]);
    },
    float({ graph }, x) {
      const levels = [graph.scalar('float32', 0.5), graph.constant(fromNumbers('uint8', [254], []))];
      return graph.node('DequantizeLinear', [graph.node('QuantizeLinear', [x, ...levels]), ...levels]);
    },
  },
  binary('QLinearAdd', 'Add'),
  binary('QLinearMul', 'Mul'),
  unary('QLinearLeakyRelu', 'LeakyRelu', { alpha: float(0.2) }),
  unary('QLinearSigmoid', 'Sigmoid', {}, [0.003, 0]),
  unary('QLinearSoftmax', 'Softmax', { axis: 3 }, [0.0012, 0]),
  unary('QLinearGlobalAveragePool', 'GlobalAveragePool', {}, [0.001, 128]),
  unary('QLinearAveragePool', 'AveragePool', window, [0.003, 128]),
  {
    op: 'com.microsoft.QLinearConcat',
    dims: matrix,
    y: [0.006, 120],
    form: ({ own, weights }, x, out) =>
      own('QLinearConcat', [...out, ...x, ...weights([4, 2], 'uint8'), ...x], { axis: 1 }),
    float: ({ graph, weights, dequantised }, x) =>
      graph.node('Concat', [x, dequantised(weights([4, 2], 'uint8')), x], { axis: 1 }),
  },
  {
    op: 'ConvInteger',
    dims: image,
    from: 'dynamic',
    form({ graph, weights }, [x, scale, zero]) {
      const [w, own, origin] = weights([4, 3, 3, 3], 'uint8');
      const sums = graph.node('Cast', [graph.node('ConvInteger', [x, w, zero, origin], window)], { to: 1 });
      return graph.node('Mul', [sums, graph.node('Mul', [scale, own])]);
    },
    float: ({ graph, weights, dequantised }, x) =>
      graph.node('Conv', [x, dequantised(weights([4, 3, 3, 3], 'uint8'))], window),
  },
  {
    op: 'MatMulInteger',
    dims: matrix,
    from: 'dynamic',
    form({ graph, weights }, [x, scale, zero]) {
      const [w, own, origin] = weights([6, 5], 'int8', 5);
      const sums = graph.node('Cast', [graph.node('MatMulInteger', [x, w, zero, origin])], { to: 1 });
      return graph.node('Mul', [sums, graph.node('Mul', [scale, own])]);
    },
    float: ({ graph, weights, dequantised }, x) =>
      graph.node('MatMul', [x, dequantised(weights([6, 5], 'int8', 5), 1)]),
  },
  {
    op: 'com.microsoft.MatMulIntegerToFloat',
    dims: matrix,
    from: 'dynamic',
    form({ own, weights, graph }, [x, scale, zero]) {
      const [w, each, origin] = weights([6, 5], 'int8', 5);
      return own('MatMulIntegerToFloat', [
        x,
        w,
        scale,
        each,
        zero,
        origin,
        graph.scalar('float32', 0.5, [5]),
      ]);
    },
    float: ({ graph, weights, dequantised }, x) =>
      graph.node('Add', [
        graph.node('MatMul', [x, dequantised(weights([6, 5], 'int8', 5), 1)]),
        graph.scalar('float32', 0.5, [5]),
      ]),
  },
  {
    op: 'com.microsoft.DynamicQuantizeMatMul',
    dims: matrix,
    from: 'floats',
    form({ own, weights }, [x]) {
      const [w, scale, zero] = weights([6, 5], 'int8');
      return own('DynamicQuantizeMatMul', [x, w, scale, zero]);
    },
    float: ({ graph, weights, dequantised }, x) =>
      graph.node('MatMul', [x, dequantised(weights([6, 5], 'int8'))]),
  },
  {
    op: 'com.microsoft.DynamicQuantizeLSTM',
    dims: [4, 2, 3],
    from: 'floats',
    form({ own, weights, graph }, [x]) {
      const [[w, ws, wz], [r, rs, rz]] = lstmWeights(weights, graph);
      return own('DynamicQuantizeLSTM', [x, w, r, '', '', '', '', '', ws, wz, rs, rz], { hidden_size: 5 });
    },
    float({ graph, weights, dequantised }, x) {
      const turned = lstmWeights(weights, graph).map(([w, s, z]) =>
        graph.node('Transpose', [dequantised([w, graph.node('Squeeze', [s]), graph.node('Squeeze', [z])])], {
          perm: [0, 2, 1],
        }),
      );
      return graph.node('LSTM', [x, ...turned], { hidden_size: 5 });
    },
  },
];

/** Ops that take integers as they take floats stand between quantised ones. */
export const between: Case = {
  op: 'integers between',
  dims: image,
  y: [0.01, 128],
  form: ({ graph }, x) => shuffled(graph, x[0]),
  float: ({ graph }, x) => shuffled(graph, x),
};

function shuffled(graph: Graph, x: string): string {
  const pooled = graph.node('MaxPool', [x], window);
  const turned = graph.node('Transpose', [pooled], { perm: [0, 2, 3, 1] });
  const [left, right] = graph.nodes('Split', [turned], 2, { axis: 2, num_outputs: 2 });
  const flat = graph.node('Reshape', [
    graph.node('Concat', [right!, left!, right!], { axis: 2 }),
    graph.ints([2, -1]),
  ]);
  return graph.node('Slice', [flat, ...[[2], [30], [1], [2]].map((list) => graph.ints(list))]);
}

/** Weights of an LSTM of 5 units over 3 features, with a scale and a zero point for its one direction. */
function lstmWeights(weights: Kit['weights'], graph: Graph): readonly [Levels, Levels] {
  const one = (dims: readonly number[]): Levels => {
    const [w, s, z] = weights(dims, 'int8');
    return [w, graph.node('Reshape', [s, graph.ints([1])]), graph.node('Reshape', [z, graph.ints([1])])];
  };
  return [one([1, 3, 20]), one([1, 5, 20])];
}

/** A constant of one kind has the same numbers wherever it is asked for. */
function kitOf(graph: Graph): Kit {
  const constant = (dtype: DType, dims: readonly number[], low: number, high: number) => {
    const size = dims.reduce((product, dim) => product * dim, 1);
    return graph.constant(
      fromNumbers(
        dtype,
        numbers(size)(size, low, high).map((value) => (dtype === 'float32' ? value : Math.round(value))),
        dims,
      ),
    );
  };
  return {
    graph,
    weights: (dims, dtype, scales) => [
      constant(dtype, dims, dtype === 'uint8' ? 0 : -100, dtype === 'uint8' ? 200 : 100),
      constant('float32', scales === undefined ? [] : [scales], 0.005, 0.02),
      graph.constant(
        fromNumbers(
          dtype,
          Array<number>(scales ?? 1).fill(dtype === 'uint8' ? 100 : 0),
          scales === undefined ? [] : [scales],
        ),
      ),
    ],
    integers: (dims) => constant('int32', dims, -20000, 20000),
    own: (op, inputs, attributes = {}) => graph.node(op, inputs, attributes, { domain: 'com.microsoft' }),
    dequantised: (levels, axis) => graph.node('DequantizeLinear', levels, { axis }),
    scaled: (bias, ...scales) =>
      scales.reduce(
        (value, scale) => graph.node('Mul', [value, scale]),
        graph.node('Cast', [bias], { to: 1 }),
      ),
  };
}

/** Both graphs of a case, of one input `x` and one output. */
export function build({ dims, form, float: inFloats, y, from }: Case, isForm: boolean): Graph {
  const graph = Graph.empty(18);
  graph.model.opsetImport.push({
    $typeName: 'onnx.OperatorSetIdProto',
    domain: 'com.microsoft',
    version: 1n,
  });
  const kit = kitOf(graph);
  const x = graph.input('x', 'float32', dims);
  const levels = ([scale, zero]: readonly [number, number]) =>
    [graph.scalar('float32', scale), graph.constant(fromNumbers('uint8', [zero], []))] as const;
  const quantised = (): Levels => {
    if (from === undefined) {
      const own = levels([0.01, 128]);
      return [graph.node('QuantizeLinear', [x, ...own]), ...own];
    }
    const [value, scale, zero] = graph.nodes('DynamicQuantizeLinear', [x], 3);
    return [value!, scale!, zero!];
  };
  const input = from === 'floats' && isForm ? ([x, '', ''] as const) : quantised();
  const out = y && levels(y);
  const made = isForm
    ? form(kit, input, out ?? ['', ''])
    : inFloats(kit, from === 'floats' ? x : kit.dequantised(input), input);
  const back = (value: string) => graph.node('DequantizeLinear', [value, ...out!]);
  const result =
    out === undefined ? made : back(isForm ? made : graph.node('QuantizeLinear', [made, ...out]));
  graph.output(result, 'float32');
  return graph;
}
