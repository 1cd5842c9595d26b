import type { Attributes, Dim, DType, Graph, NodeProto, TensorType } from '@gauntlet/onnx';
import { attributesOf, declaredTypes, dtypeOf, fail, nodePath, numbersOf, readTensor } from '@gauntlet/onnx';

import { axesOf, axisOf, broadcast, product, shown } from './value.js';

/** What an inference rule may look at. */
interface Place {
  readonly attr: Attributes;
  readonly path: string;
  readonly outputs: number;
  /** Type of an input; throws `unknown-shape` when it is missing. */
  type(i: number): TensorType;
  /** Types of all inputs that are there. */
  readonly types: readonly TensorType[];
  /** Numbers of a constant input; undefined when absent or computed at run time. */
  constant(i: number): number[] | undefined;
}

type Inference = (place: Place) => TensorType | readonly TensorType[] | undefined;

/**
 * Output types of a node whose input types are known; undefined for ops outside the vocabulary of gradient rules and losses,
 * and for shapes that are computed at run time.
 */
export function inferNode(
  graph: Graph,
  node: NodeProto,
  types: ReadonlyMap<string, TensorType>,
): readonly TensorType[] | undefined {
  const inference = node.domain === '' && Object.hasOwn(TABLE, node.opType) ? TABLE[node.opType] : undefined;
  const known = node.input.flatMap((name) => (name === '' ? [] : [types.get(name)]));
  if (inference === undefined || known.includes(undefined)) return undefined;
  const path = nodePath(node);
  const result = inference({
    attr: attributesOf(node),
    path,
    outputs: node.output.length,
    types: known as TensorType[],
    type: (i) =>
      types.get(node.input[i] ?? '') ??
      fail(
        'bad-node',
        `Unexpected missing input ${i} at ${path}, expected a tensor. Export the model again.`,
      ),
    constant: (i) => {
      const value = node.input[i] ? graph.value(node.input[i]) : undefined;
      return value && numbersOf(value);
    },
  });
  const made = result === undefined || Array.isArray(result) ? result : [result as TensorType];
  for (const { dims } of (made ?? []) as readonly TensorType[]) {
    if (dims.every((dim) => typeof dim === 'string' || (Number.isSafeInteger(dim) && dim >= 0))) continue;
    fail(
      'bad-shape',
      `Unexpected shape ${shown(dims)} at ${path}, expected sizes of at least 0. Export the model again.`,
    );
  }
  return made;
}

/** Adds the types that the map lacks: those the graph declares, and those that follow from others. Nodes must be sorted. */
export function inferTypes(graph: Graph, types: Map<string, TensorType>): void {
  for (const [name, type] of declaredTypes(graph.model)) if (!types.has(name)) types.set(name, type);
  for (const node of graph.proto.node) {
    if (node.output.every((name) => name === '' || types.has(name))) continue;
    inferNode(graph, node, types)?.forEach((type, i) => {
      const name = node.output[i];
      if (name && !types.has(name)) types.set(name, type);
    });
  }
}

const same: Inference = ({ type }) => type(0);
const elementwise: Inference = ({ type, types }) => ({
  dtype: type(0).dtype,
  dims: broadcast(...types.map(({ dims }) => dims)),
});
const typed =
  (dtype: DType): Inference =>
  ({ types }) => ({ dtype, dims: broadcast(...types.map(({ dims }) => dims)) });

const reduce: Inference = ({ attr, type, constant, path, types }) => {
  const { dtype, dims } = type(0);
  const given = types.length > 1 ? constant(1) : [];
  if (given === undefined) return undefined;
  const all = given.length === 0 && attr.int('noop_with_empty_axes', 0) === 0;
  return { dtype, dims: reduced(dims, all ? dims.map((_, i) => i) : axesOf(given, dims.length, path), attr) };
};

function reduced(dims: readonly Dim[], axes: readonly number[], attr: Attributes): Dim[] {
  const keep = attr.int('keepdims', 1) !== 0;
  return dims.flatMap((dim, i) => (axes.includes(i) ? (keep ? [1] : []) : [dim]));
}

const argument: Inference = ({ attr, type, path }) => {
  const { dims } = type(0);
  return { dtype: 'int64', dims: reduced(dims, [axisOf(attr.int('axis', 0), dims.length, path)], attr) };
};

const matMul: Inference = ({ type, path }) => {
  const [a, b] = [type(0), type(1)];
  if (a.dims.length === 0 || b.dims.length === 0) {
    return fail('bad-shape', `Unexpected scalar at ${path}, expected matrices. Export the model again.`);
  }
  const rows = a.dims.slice(-2, -1);
  const columns = b.dims.length > 1 ? b.dims.slice(-1) : [];
  return {
    dtype: a.dtype,
    dims: [...broadcast(a.dims.slice(0, -2), b.dims.slice(0, -2)), ...rows, ...columns],
  };
};

const gemm: Inference = ({ attr, type }) => {
  const [a, b] = [type(0), type(1)];
  const rows = a.dims[attr.int('transA', 0) ? 1 : 0] ?? 1;
  return { dtype: a.dtype, dims: [rows, b.dims[attr.int('transB', 0) ? 0 : 1] ?? 1] };
};

const gather: Inference = ({ attr, type, path }) => {
  const { dtype, dims } = type(0);
  const axis = axisOf(attr.int('axis', 0), dims.length, path);
  return { dtype, dims: [...dims.slice(0, axis), ...type(1).dims, ...dims.slice(axis + 1)] };
};

const topK: Inference = ({ attr, type, constant, path }) => {
  const { dtype, dims } = type(0);
  const axis = axisOf(attr.int('axis', -1), dims.length, path);
  const k = constant(1)?.[0];
  if (k === undefined) return undefined;
  const kept = dims.map((dim, i) => (i === axis ? k : dim));
  return [
    { dtype, dims: kept },
    { dtype: 'int64', dims: kept },
  ];
};

const transpose: Inference = ({ attr, type, path }) => {
  const { dtype, dims } = type(0);
  const order = axesOf(
    attr.ints(
      'perm',
      dims.map((_, i) => dims.length - 1 - i),
    ),
    dims.length,
    path,
  );
  return { dtype, dims: order.map((i) => dims[i]!) };
};

const flatten: Inference = ({ attr, type, path }) => {
  const { dtype, dims } = type(0);
  const given = attr.int('axis', 1);
  const axis = given === dims.length ? given : axisOf(given, dims.length, path);
  return { dtype, dims: [product(dims.slice(0, axis)), product(dims.slice(axis))] };
};

const unsqueeze: Inference = ({ type, constant, path }) => {
  const { dtype, dims } = type(0);
  const given = constant(1);
  if (given === undefined) return undefined;
  const axes = axesOf(given, dims.length + given.length, path);
  const left = [...dims];
  return {
    dtype,
    dims: Array.from({ length: dims.length + axes.length }, (_, i) => (axes.includes(i) ? 1 : left.shift()!)),
  };
};

const squeeze: Inference = ({ type, types, constant, path }) => {
  const { dtype, dims } = type(0);
  const given = types.length > 1 ? constant(1) : dims.flatMap((dim, i) => (dim === 1 ? [i] : []));
  if (given === undefined) return undefined;
  const axes = axesOf(given, dims.length, path);
  return { dtype, dims: dims.filter((_, i) => !axes.includes(i)) };
};

const reshape: Inference = ({ attr, type, constant }) => {
  const { dtype, dims } = type(0);
  const target = constant(1)?.map((size, i): Dim =>
    size === 0 && !attr.int('allowzero', 0) ? (dims[i] ?? 0) : size,
  );
  if (target === undefined) return undefined;
  return { dtype, dims: target.map((size) => (size === -1 ? quotient(dims, target) : size)) };
};

/** Size of the -1 in a Reshape: what is left of the elements after the sizes that are given. */
function quotient(dims: readonly Dim[], target: readonly Dim[]): Dim {
  const symbols = dims.filter((dim) => typeof dim === 'string');
  for (const size of target) {
    const at = symbols.indexOf(String(size));
    if (typeof size === 'string' && at >= 0) symbols.splice(at, 1);
  }
  const count = (sizes: readonly Dim[]) =>
    sizes.reduce<number>(
      (total, size) => (typeof size === 'number' && size !== -1 ? total * size : total),
      1,
    );
  return product([...symbols, count(dims) / (count(target) || 1)]);
}

const concat: Inference = ({ attr, type, types, path }) => {
  const { dtype, dims } = type(0);
  const axis = axisOf(attr.int('axis', 0), dims.length, path);
  const sizes = types.map((each) => each.dims[axis] ?? 0);
  const total = sizes.every((size) => typeof size === 'number')
    ? sizes.reduce((a, b) => a + b, 0)
    : sizes.join('+');
  return { dtype, dims: dims.map((dim, i) => (i === axis ? total : dim)) };
};

const slice: Inference = ({ type, constant, path, types }) => {
  const { dtype, dims } = type(0);
  const [starts, ends, steps] = [constant(1), constant(2), constant(4)];
  const axes = constant(3) ?? starts?.map((_, i) => i);
  if (starts === undefined || ends === undefined || (types.length > 4 && steps === undefined))
    return undefined;
  const sizes = [...dims];
  for (const [i, given] of axesOf(axes!, dims.length, path).entries()) {
    const [size, step] = [dims[given]!, steps?.[i] ?? 1];
    if (typeof size === 'string') return undefined;
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, low), high);
    sizes[given] = Math.max(0, Math.ceil((clamp(ends[i]!) - clamp(starts[i]!)) / step));
  }
  return { dtype, dims: sizes };
};

const expand: Inference = ({ type, constant }) => {
  const target = constant(1);
  return target && { dtype: type(0).dtype, dims: broadcast(type(0).dims, target) };
};

const constantOfShape: Inference = ({ attr, constant }) => {
  const value = attr.tensor('value');
  const dims = constant(0);
  return dims && { dtype: dtypeOf(value?.dataType ?? 1) ?? 'float32', dims };
};

const constant: Inference = ({ attr }) => {
  const value = attr.tensor('value');
  if (value !== undefined) {
    const { dtype, dims } = readTensor(value);
    return { dtype, dims };
  }
  const list = attr.floats('value_floats', undefined) ?? attr.ints('value_ints', undefined);
  const dtype = attr.has('value_float') || attr.has('value_floats') ? 'float32' : 'int64';
  return { dtype, dims: list === undefined ? [] : [list.length] };
};

const all = (ops: string, inference: Inference) => ops.split(' ').map((op) => [op, inference] as const);

const TABLE: Readonly<Record<string, Inference>> = Object.fromEntries([
  ...all(
    'Identity Neg Abs Sqrt Exp Log Sign Reciprocal Floor Ceil Round Relu LeakyRelu Elu Sigmoid Tanh Erf',
    same,
  ),
  ...all(
    'Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Softplus Softsign Selu Celu HardSigmoid',
    same,
  ),
  ...all(
    'HardSwish Gelu Mish ThresholdedRelu Clip Not Softmax LogSoftmax CumSum ScatterElements ScatterND',
    same,
  ),
  ...all('Add Sub Mul Div Pow Min Max Sum Mean And Or Xor Mod PRelu', elementwise),
  ...all('Equal Greater Less GreaterOrEqual LessOrEqual IsNaN IsInf', typed('bool')),
  ...all('ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2', reduce),
  ...all('ReduceSumSquare ReduceLogSum ReduceLogSumExp', reduce),
  ...all('ArgMax ArgMin', argument),
  ['MatMul', matMul],
  [
    'QuantizeLinear',
    ({ type, types }) => ({ dtype: types.length > 2 ? type(2).dtype : 'uint8', dims: type(0).dims }),
  ],
  ['DequantizeLinear', ({ type }) => ({ dtype: type(1).dtype, dims: type(0).dims })],
  ['Gemm', gemm],
  ['Gather', gather],
  ['GatherElements', ({ type }) => ({ dtype: type(0).dtype, dims: type(1).dims })],
  ['TopK', topK],
  ['Transpose', transpose],
  ['Flatten', flatten],
  ['Unsqueeze', unsqueeze],
  ['Squeeze', squeeze],
  ['Reshape', reshape],
  ['Concat', concat],
  ['Slice', slice],
  ['Expand', expand],
  ['ConstantOfShape', constantOfShape],
  ['Constant', constant],
  ['Cast', ({ attr, type }) => ({ dtype: dtypeOf(attr.int('to', 1)) ?? 'float32', dims: type(0).dims })],
  ['CastLike', ({ type }) => ({ dtype: type(1).dtype, dims: type(0).dims })],
  [
    'Where',
    ({ type, types }) => ({ dtype: type(1).dtype, dims: broadcast(...types.map(({ dims }) => dims)) }),
  ],
  [
    'Shape',
    ({ attr, type }) =>
      attr.has('start') || attr.has('end') ? undefined : { dtype: 'int64', dims: [type(0).dims.length] },
  ],
  ['Size', () => ({ dtype: 'int64', dims: [] })],
] satisfies (readonly [string, Inference])[]);
