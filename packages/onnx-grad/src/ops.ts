import type { AttributeValue, Dim, DType, Graph, Tensor, TensorType } from '@gauntlet/onnx';
import { codeOf, fail, int64s, nodePath } from '@gauntlet/onnx';

import { inferNode } from './infer.js';
import { type Slab, tilesOf } from './tiles.js';
import type { Value } from './value.js';
import { broadcast, sameDims } from './value.js';

/** A tensor, or a number that becomes a scalar of the other operand's type. */
export type Operand = Value | number;

type Attributes = Readonly<Record<string, AttributeValue>>;

/** The vocabulary that gradient rules are written in: each word appends a node and gives its result with its type. */
export type Ops = ReturnType<typeof createOps>;

/** Binds the vocabulary to a graph; the types of what it makes are added to the map. */
export function createOps(graph: Graph, types: Map<string, TensorType>) {
  const known = (name: string, dtype: DType, dims: readonly Dim[]): Value => {
    types.set(name, { dtype, dims });
    return { name, dtype, dims };
  };
  const emit = (
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes = {},
    type?: TensorType,
  ): Value => {
    const name = graph.node(
      op,
      inputs.map((input) => input?.name ?? ''),
      attributes,
    );
    const { dtype, dims } = type ?? typeOf(graph, name, inputs);
    return known(name, dtype, dims);
  };
  const constant = (tensor: Tensor): Value => known(graph.constant(tensor), tensor.dtype, tensor.dims);
  const scalar = (value: number, dtype: DType): Value => known(graph.scalar(dtype, value), dtype, []);
  const ints = (values: readonly number[]): Value => known(graph.ints(values), 'int64', [values.length]);
  const int = (value: number): Value => known(graph.constant(int64s([value], [])), 'int64', []);
  const both = (op: string) => (a: Operand, b: Operand) => {
    const dtype = typeof a === 'number' ? (b as Value).dtype : a.dtype;
    return emit(
      op,
      [a, b].map((each) => (typeof each === 'number' ? scalar(each, dtype) : each)),
    );
  };
  const concat = (xs: readonly Value[], axis: number): Value =>
    xs.length === 1 ? xs[0]! : emit('Concat', xs, { axis });
  const slabs = new Map<string, Slab>();
  /** Tensors of which is known that all their elements are one number. */
  const uniform = new Map<string, number>();
  /** An op that makes a tensor of one number from another, and so is known to. */
  const uniformly =
    <Rest extends unknown[]>(op: (x: Value, ...rest: Rest) => Value, next = (value: number) => value) =>
    (x: Value, ...rest: Rest): Value => {
      const [made, value] = [op(x, ...rest), uniform.get(x.name)];
      if (value !== undefined) uniform.set(made.name, next(value));
      return made;
    };
  /** The one number of a tensor that does not give the result its sizes, which the others have without it. */
  const simplest = (x: Operand, ...others: Operand[]): Operand => {
    const value = typeof x === 'number' ? undefined : uniform.get(x.name);
    if (value === undefined) return x;
    const dims = others.map((other) => (typeof other === 'number' ? [] : other.dims));
    return sameDims(broadcast(...dims), broadcast((x as Value).dims, ...dims)) ? value : x;
  };
  const one = (op: string) => (x: Value) => emit(op, [x]);
  const reduce =
    (op: string) =>
    (x: Value, axes: readonly number[], keepdims = true) =>
      axes.length === 0 ? x : emit(op, [x, ints(axes)], { keepdims: keepdims ? 1 : 0 });
  /** The sizes of a tensor as an int64 list: a constant where they are known. */
  const shape = (like: Value): Value =>
    like.dims.every((dim) => typeof dim === 'number') ? ints(like.dims as number[]) : emit('Shape', [like]);

  return {
    graph,
    /** Appends any node; the type may be left out for ops that type inference knows. */
    emit,
    constant,
    scalar,
    ints,
    int,
    shape,
    /** Appends a node with several outputs of given types. */
    emitAll: (
      op: string,
      inputs: readonly (Value | undefined)[],
      attributes: Attributes,
      results: readonly TensorType[],
    ): Value[] => {
      const names = graph.nodes(
        op,
        inputs.map((input) => input?.name ?? ''),
        results.length,
        attributes,
      );
      return results.map(({ dtype, dims }, i) => known(names[i]!, dtype, dims));
    },
    add: both('Add'),
    sub: both('Sub'),
    mul: (a: Operand, b: Operand): Value => {
      const [one, other] = [simplest(a, b), simplest(b, a)];
      if (one === 1 && typeof b !== 'number') return b;
      if (other === 1 && typeof a !== 'number') return a;
      return both('Mul')(one, typeof one === 'number' ? b : other);
    },
    div: both('Div'),
    pow: both('Pow'),
    min: both('Min'),
    max: both('Max'),
    equal: both('Equal'),
    less: both('Less'),
    greater: both('Greater'),
    lessOrEqual: both('LessOrEqual'),
    greaterOrEqual: both('GreaterOrEqual'),
    and: both('And'),
    or: both('Or'),
    not: one('Not'),
    neg: uniformly(one('Neg'), (value) => -value),
    abs: one('Abs'),
    sign: one('Sign'),
    exp: one('Exp'),
    log: one('Log'),
    sqrt: one('Sqrt'),
    sin: one('Sin'),
    cos: one('Cos'),
    tanh: one('Tanh'),
    sigmoid: one('Sigmoid'),
    reciprocal: one('Reciprocal'),
    square: (x: Value) => both('Mul')(x, x),
    sum: reduce('ReduceSum'),
    mean: reduce('ReduceMean'),
    largest: reduce('ReduceMax'),
    product: reduce('ReduceProd'),
    /** Adds updates into zeros, by ScatterElements or ScatterND; narrow floats are added in float32, for which there are kernels. */
    scatterAdd: (
      op: 'ScatterElements' | 'ScatterND',
      zeros: Value,
      indices: Value,
      updates: Value,
      axis?: number,
    ): Value => {
      const narrow = updates.dtype === 'float16' || updates.dtype === 'bfloat16';
      const wide = (value: Value) => (narrow ? emit('Cast', [value], { to: codeOf('float32') }) : value);
      const added = emit(op, [wide(zeros), indices, wide(updates)], { axis, reduction: 'add' });
      return narrow ? emit('Cast', [added], { to: codeOf(updates.dtype) }) : added;
    },
    matMul: (a: Value, b: Value) => emit('MatMul', [a, b]),
    cast: (x: Value, dtype: DType) => (x.dtype === dtype ? x : emit('Cast', [x], { to: codeOf(dtype) })),
    where: (condition: Value, a: Operand, b: Operand) => {
      const dtype = typeof a === 'number' ? (typeof b === 'number' ? 'float32' : b.dtype) : a.dtype;
      const first = simplest(a, condition, b);
      return emit('Where', [
        condition,
        ...[first, simplest(b, condition, first)].map((each) =>
          typeof each === 'number' ? scalar(each, dtype) : each,
        ),
      ]);
    },
    transpose: (x: Value, perm: readonly number[]) =>
      perm.every((axis, i) => axis === i) ? x : emit('Transpose', [x], { perm }),
    unsqueeze: uniformly((x: Value, axes: readonly number[]) =>
      axes.length === 0 ? x : emit('Unsqueeze', [x, ints(axes)]),
    ),
    squeeze: (x: Value, axes: readonly number[]) =>
      axes.length === 0 ? x : emit('Squeeze', [x, ints(axes)]),
    concat,
    slice: (x: Value, axis: number, start: number, end: number, step = 1) =>
      emit('Slice', [x, ints([start]), ints([end]), ints([axis]), ints([step])]),
    /** Pads one axis with zeros to a size; negative amounts cut. */
    pad: (x: Value, axis: number, before: number, after: number, size: number): Value => {
      if (before === 0 && after === 0) return x;
      const along = (amount: number) => x.dims.map((_, i) => (i === axis ? amount : 0));
      const dims = x.dims.map((dim, i) => (i === axis ? size : dim));
      const amounts = ints([...along(before), ...along(after)]);
      const made = emit('Pad', [x, amounts], {}, { dtype: x.dtype, dims });
      slabs.set(made.name, { part: x, axis, before, after });
      return made;
    },
    /** The sum of tensors of one shape. Slabs that fill an axis without a gap are put side by side instead. */
    total: (values: readonly Value[]): Value => {
      const { tiles, rest } = tilesOf(values, slabs);
      const [first] = tiles;
      const parts = tiles.map(({ part }) => part);
      return (first === undefined ? rest : [concat(parts, first.axis), ...rest]).reduce(both('Add'));
    },
    /** Reshapes to the sizes of another tensor; one unknown size becomes -1, more are read at run time. */
    reshape: uniformly((x: Value, like: Value): Value => {
      if (sameDims(x.dims, like.dims)) return x;
      return emit('Reshape', [x, targetOf(like, ints, emit)], like.dims.includes(0) ? { allowzero: 1 } : {}, {
        dtype: x.dtype,
        dims: like.dims,
      });
    }),
    /** Reshapes to numbers, with at most one -1. */
    reshapeTo: uniformly((x: Value, dims: readonly number[]): Value =>
      sameDims(x.dims, dims) ? x : emit('Reshape', [x, ints(dims)]),
    ),
    /** Broadcasts to the sizes of another tensor. */
    expand: uniformly((x: Value, like: Value): Value =>
      sameDims(x.dims, like.dims)
        ? x
        : emit('Expand', [x, shape(like)], {}, { dtype: x.dtype, dims: like.dims }),
    ),
    /** A tensor of one value with the sizes of another tensor. */
    full: (like: Value, value: number, dtype: DType = like.dtype): Value => {
      const made = emit('Expand', [scalar(value, dtype), shape(like)], {}, { dtype, dims: like.dims });
      uniform.set(made.name, value);
      return made;
    },
  };
}

function targetOf(
  like: Value,
  ints: (values: readonly number[]) => Value,
  emit: (op: string, inputs: Value[]) => Value,
): Value {
  const unknown = like.dims.filter((dim) => typeof dim === 'string').length;
  if (unknown > 1 || (unknown === 1 && like.dims.includes(0))) return emit('Shape', [like]);
  return ints(like.dims.map((dim) => (typeof dim === 'number' ? dim : -1)));
}

function typeOf(graph: Graph, name: string, inputs: readonly (Value | undefined)[]): TensorType {
  const node = graph.producer(name)!;
  const types = new Map(
    inputs.flatMap((input) => (input === undefined ? [] : [[input.name, input] as const])),
  );
  return (
    inferNode(graph, node, types)?.[0] ??
    fail(
      'unknown-shape',
      `Unexpected dynamic shape at ${nodePath(node)}, expected one that is known beforehand. Export the model with a fixed shape.`,
    )
  );
}
