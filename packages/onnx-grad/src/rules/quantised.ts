import type { Attributes } from '@gauntlet/onnx';

import type { Expansion, Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { matMul } from './matmul.js';
import { conv } from './conv.js';

/** Where a node that computes on integers has what. Every quantised input is followed by its scale and its zero point, and so is the scale of the output. */
interface Places {
  readonly inputs: readonly number[];
  /** The place of the output's scale. */
  readonly output: number;
  /** The place of the bias, whose scale is the product of those of the inputs. */
  readonly bias?: number;
  /** The axis of each input along which its scales lie, where there are several. */
  readonly axes?: (attr: Attributes) => readonly number[];
}

/** Attributes that only ONNX Runtime's own ops have. */
const OWN = ['channels_last', 'opset'];

/** What integers stand for: (level - zero point) scale. It is spelt in plain arithmetic, which ONNX Runtime folds where the integers are constant. */
function dequantised({ x, has, ops }: Site, [at, scale, zero]: readonly number[], axis = 0): Value {
  const value = ops.cast(x(at!), 'float32');
  const along = (i: number): Value => {
    const own = ops.cast(x(i), 'float32');
    const others = [...value.dims.keys()].filter(
      (each) => each !== (axis + value.dims.length) % value.dims.length,
    );
    return own.dims.length === 1 && own.dims[0] !== 1 ? ops.unsqueeze(own, others) : own;
  };
  return ops.mul(has(zero!) ? ops.sub(value, along(zero!)) : value, along(scale!));
}

/** A float tensor in the levels of the first output, whose scale is at a place. */
function quantised({ x, y, has, ops, refuse }: Site, value: Value, at: number): Value {
  const single = (i: number) => {
    const { dims } = x(i);
    return dims.length === 0 || (dims.length === 1 && dims[0] === 1)
      ? ops.reshapeTo(x(i), [])
      : refuse('several scales of an output');
  };
  const zero = has(at + 1) ? single(at + 1) : ops.scalar(0, y().dtype);
  return ops.emit('QuantizeLinear', [value, single(at), zero], {}, y());
}

/** The float op of which a node computes a quantised form, over given inputs. */
function floatOp({ node, graph, attr, y, ops, refuse }: Site, op: string, inputs: readonly Value[]): Value {
  if (attr.int('channels_last', 0) !== 0) refuse('channels_last');
  const made = ops.emit(op, inputs, {}, { dtype: 'float32', dims: y().dims });
  graph.producer(made.name)!.attribute = node.attribute.filter(({ name }) => !OWN.includes(name));
  return made;
}

/** A float op over what its inputs stand for, quantised where the node has a scale for its output. */
const standing =
  (op: string, places: Places | ((site: Site) => Places)): Expansion =>
  (site) => {
    const { x, has, attr, ops } = site;
    const { inputs, output, bias, axes } = typeof places === 'function' ? places(site) : places;
    const values = inputs.map((at, i) => dequantised(site, [at, at + 1, at + 2], axes?.(attr)[i]));
    if (bias !== undefined && has(bias)) {
      const scale = inputs.map((at) => x(at + 1)).reduce(ops.mul);
      values.push(ops.mul(ops.cast(x(bias), 'float32'), ops.mul(scale, attr.float('alpha', 1))));
    }
    const value = floatOp(site, op, values);
    return [has(output) ? quantised(site, value, output) : value];
  };

const one: Places = { inputs: [0], output: 3 };
const two: Places = { inputs: [0, 3], output: 6 };

/** Its scale and zero point, which are made of the whole tensor's range, count as constants. */
const dynamicQuantizeLinear: Expansion = ({ x, y, ops }) => [
  ops.emit('QuantizeLinear', [x(0), y(1), y(2)], {}, y()),
  undefined,
  undefined,
];

/** Before opset 13 an axis stood for itself and all axes behind it. */
const softmax: Expansion = (site) => {
  const { attr, x, refuse } = site;
  const axis = attr.int('axis', -1);
  if (attr.int('opset', 13) < 13 && axis !== -1 && axis !== x(0).dims.length - 1)
    refuse(`axis ${axis} of opset ${attr.int('opset', 13)}`);
  return standing('Softmax', one)(site);
};

const concat = standing('Concat', ({ node }) => ({
  inputs: Array.from({ length: Math.floor((node.input.length - 2) / 3) }, (_, i) => 3 * i + 2),
  output: 0,
}));

/** A product with weights that are held as integers, plus a bias. */
const product =
  (weights: readonly number[], bias: number, left: (site: Site) => Value): Expansion =>
  (site) => {
    const { x, y, has, ops } = site;
    const made = ops.emit('MatMul', [left(site), dequantised(site, weights, -1)], {}, y());
    return [has(bias) ? ops.add(made, x(bias)) : made];
  };

/** Weights [ways, input, gates H] become those of an LSTM, [ways, gates H, input]. */
const lstm: Expansion = (site) => {
  const { node, graph, x, y, has, ops } = site;
  const weights = (at: number, scale: number) =>
    ops.transpose(dequantised(site, [at, scale, scale + 1], x(scale).dims.length === 1 ? 0 : 2), [0, 2, 1]);
  const others = [3, 4, 5, 6, 7].map((i) => (has(i) ? x(i) : undefined));
  const results = node.output.map((name, i) =>
    name === '' ? { dtype: 'float32' as const, dims: [] } : y(i),
  );
  const made = ops.emitAll('LSTM', [x(0), weights(1, 8), weights(2, 10), ...others], {}, results);
  graph.producer(made[0]!.name)!.attribute = [...node.attribute];
  return made;
};

const own = (ops: Readonly<Record<string, Expansion>>): [string, Expansion][] =>
  Object.entries(ops).map(([op, expansion]) => [`com.microsoft.${op}`, expansion]);

/**
 * Ops on integers, as what they stand for: a float op between DequantizeLinear and QuantizeLinear. Gradients take this way; what the ops
 * compute stays as it is.
 */
export const quantisedForms: Readonly<Record<string, Expansion>> = {
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  QLinearConv: standing('Conv', { ...two, bias: 8, axes: () => [0, 0] }),
  QLinearMatMul: standing('MatMul', { ...two, axes: () => [-2, -1] }),
  ...Object.fromEntries(
    own({
      DynamicQuantizeLSTM: lstm,
      DynamicQuantizeMatMul: product([1, 2, 3], 4, ({ x }) => x(0)),
      MatMulIntegerToFloat: product([1, 3, 5], 6, (site) => dequantised(site, [0, 2, 4], -2)),
      QGemm: standing('Gemm', {
        inputs: [0, 3],
        bias: 6,
        output: 7,
        axes: (attr) => [0, attr.int('transB', 0) === 0 ? 1 : 0],
      }),
      QLinearAdd: standing('Add', two),
      QLinearAveragePool: standing('AveragePool', one),
      QLinearConcat: concat,
      QLinearGlobalAveragePool: standing('GlobalAveragePool', one),
      QLinearLeakyRelu: standing('LeakyRelu', one),
      QLinearMul: standing('Mul', two),
      QLinearSigmoid: standing('Sigmoid', one),
      QLinearSoftmax: softmax,
    }),
  ),
};

/** The rule of a float op, where a node computes the same on integers less their zero points, exactly. */
const exact =
  (rule: Rule): Rule =>
  (site) => {
    const { x, has, ops } = site;
    const level = (i: number) => ops.cast(x(i), 'float32');
    return rule({ ...site, x: (i) => (has(i + 2) ? ops.sub(level(i), level(i + 2)) : level(i)) });
  };

/** Sums of products of integers. */
export const accumulations: Rules = { ConvInteger: exact(conv), MatMulInteger: exact(matMul) };
