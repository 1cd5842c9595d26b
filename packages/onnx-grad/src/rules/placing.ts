import type { Ops } from '../ops.js';
import type { Value } from '../value.js';
import { fixed } from '../value.js';

/** Zeros in the type of `like`, with its axes in another order. Sizes that are unknown are read from it at run time. */
function zeros(ops: Ops, like: Value, order: readonly number[]): Value {
  const dims = order.map((axis) => like.dims[axis]!);
  const read = (axis: number) => ops.emit('Gather', [ops.shape(like), ops.ints([axis])]);
  const sizes = dims.every((dim) => typeof dim === 'number')
    ? ops.ints(dims as number[])
    : ops.concat(
        dims.map((dim, i) => (typeof dim === 'number' ? ops.ints([dim]) : read(order[i]!))),
        0,
      );
  return ops.emit('Expand', [ops.scalar(0, like.dtype), sizes], {}, { dtype: like.dtype, dims });
}

/**
 * Adds slices into zeros of the shape of `like`: entry i of `indices` says where along the axis slice i goes.
 * indices may have any rank; g has it in place of the axis.
 */
export function addAlong(ops: Ops, g: Value, axis: number, indices: Value, like: Value): Value {
  const rank = like.dims.length;
  const count = indices.dims.length;
  // g: [...before, ...indices, ...after] -> [...indices, ...before, ...after]
  const own = Array.from({ length: count }, (_, i) => axis + i);
  const updates = ops.transpose(g, [...own, ...[...g.dims.keys()].filter((i) => !own.includes(i))]);
  const order = [axis, ...[...Array(rank).keys()].filter((i) => i !== axis)];
  const places = ops.unsqueeze(ops.cast(indices, 'int64'), [count]);
  const added = ops.scatterAdd('ScatterND', zeros(ops, like, order), places, updates);
  return ops.transpose(
    added,
    [...order.keys()].map((i) => order.indexOf(i)),
  );
}

/** Puts slice i of g at `start + i * step` along an axis of zeros of the given size. */
export function place(
  ops: Ops,
  g: Value,
  axis: number,
  start: number,
  step: number,
  size: number,
  path: string,
): Value {
  const count = fixed(g.dims[axis]!, path);
  if (step < 0) {
    const reversed = ops.slice(g, axis, -1, -(2 ** 31), -1);
    return place(ops, reversed, axis, start + (count - 1) * step, -step, size, path);
  }
  const wide = step === 1 ? g : withGaps(ops, g, axis, step, count);
  const length = step === 1 ? count : count * step;
  return ops.pad(wide, axis, start, size - start - length, size);
}

/** [.., count, ..] -> [.., count, step, ..] with zeros after each element -> [.., count * step, ..] */
function withGaps(ops: Ops, g: Value, axis: number, step: number, count: number): Value {
  const padded = ops.pad(ops.unsqueeze(g, [axis + 1]), axis + 1, 0, step - 1, step);
  const dims = g.dims.map((dim, i) => (i === axis ? count * step : dim));
  return ops.reshape(padded, { name: g.name, dtype: g.dtype, dims });
}
