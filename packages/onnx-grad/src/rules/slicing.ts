import { fail } from '@gauntlet/onnx';

import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { axesOf, axisOf, elements, fixed } from '../value.js';
import { addAlong, place } from './placing.js';

const slice: Rule = (site) => [
  () => {
    const { x, g, path, constant, has, ops } = site;
    const data = x(0);
    const count = fixed(x(1).dims[0] ?? 1, path);
    const axes = axesOf(constant(3) ?? [...Array(count).keys()], data.dims.length, path);
    if (axes.length !== count) {
      fail(
        'bad-attribute',
        `Unexpected ${count} starts for ${axes.length} axes at ${path}, expected as many. Export the model again.`,
      );
    }
    if (g.dims.includes(0)) return ops.full(data, 0);
    const [starts, steps] = [numbersOrNone(site, 1), has(4) ? numbersOrNone(site, 4) : axes.map(() => 1)];
    const sizes = axes.map((axis) => data.dims[axis]!);
    if (starts === undefined || steps === undefined || sizes.some((size) => typeof size === 'string')) {
      return atRunTime(site, axes);
    }
    return axes.reduce((value, axis, i) => {
      const [size, start, step] = [sizes[i] as number, starts[i] ?? 0, steps[i] ?? 1];
      const first = Math.min(Math.max(start < 0 ? start + size : start, 0), step > 0 ? size : size - 1);
      return place(ops, value, axis, first, step, size, path);
    }, g);
  },
];

function numbersOrNone({ graph, node }: Site, i: number): number[] | undefined {
  const data = graph.value(node.input[i]!)?.data;
  return data && Array.from(data as ArrayLike<number>, Number);
}

/** Slices a list of indices as the node slices each axis, and adds the slices of g back where the indices say. */
function atRunTime({ x, g, has, ops }: Site, axes: readonly number[]): Value {
  const data = x(0);
  const part = (i: number, from: number, to: number): Value | undefined =>
    has(i) ? ops.slice(x(i), 0, from, to) : undefined;
  const cut = (value: Value, from: number, to: number, along: readonly number[], dims: Value['dims']) =>
    ops.emit(
      'Slice',
      [value, part(1, from, to), part(2, from, to), ops.ints(along), part(4, from, to)],
      {},
      { dtype: value.dtype, dims },
    );
  return axes.reduceRight((value, axis, i) => {
    // The input as it is after the slices that come before this one.
    const dims = data.dims.map((dim, at) => (axes.slice(0, i).includes(at) ? g.dims[at]! : dim));
    const like = i === 0 ? data : cut(data, 0, i, axes.slice(0, i), dims);
    const size = ops.emit('Gather', [ops.shape(data), ops.ints([axis])]);
    const all = ops.emit(
      'Range',
      [ops.int(0), ops.squeeze(size, [0]), ops.int(1)],
      {},
      { dtype: 'int64', dims: [data.dims[axis]!] },
    );
    return addAlong(ops, value, axis, cut(all, i, i + 1, [0], [g.dims[axis]!]), like);
  }, g);
}

/** Sizes along an axis, as the constant or computed input of a Split. */
const concat: Rule = ({ node, x, g, attr, path, ops }) => {
  const axis = axisOf(attr.int('axis', 0), g.dims.length, path);
  const sizes = node.input.map((_, i) => x(i).dims[axis]!);
  const known = sizes.every((size) => typeof size === 'number');
  let parts: Value[] | undefined;
  const split = () => {
    const lengths = node.input.map((_, i) => ops.emit('Gather', [ops.shape(x(i)), ops.ints([axis])]));
    const types = node.input.map((_, i) => ({ dtype: g.dtype, dims: x(i).dims }));
    return ops.emitAll('Split', [g, ops.concat(lengths, 0)], { axis }, types);
  };
  return node.input.map((_, i) => () => {
    if (!known) return (parts ??= split())[i]!;
    const start = sizes.slice(0, i).reduce((total: number, size) => total + (size as number), 0);
    return node.input.length === 1 ? g : ops.slice(g, axis, start, start + (sizes[i] as number));
  });
};

const split: Rule = ({ node, x, gradient, attr, path, ops }) => {
  const axis = axisOf(attr.int('axis', 0), x(0).dims.length, path);
  return [
    () => {
      const parts = node.output.map((name, i) => (name === '' ? undefined : gradient(i)));
      if (parts.every((part) => part !== undefined)) return ops.concat(parts, axis);
      return fail(
        'bad-node',
        `Unexpected unnamed output at ${path}, expected a name for each part. Export the model again.`,
      );
    },
  ];
};

/** Constant padding is undone by padding with the amounts negated; the other modes repeat elements of the input. */
const pad: Rule = (site) => {
  const { x, g, attr, has, ops } = site;
  const mode = attr.string('mode', 'constant');
  const undo = () => ops.emit('Pad', [g, ops.neg(x(1)), undefined, has(3) ? x(3) : undefined], {}, x(0));
  if (mode !== 'constant') return [() => repeated(site, mode)];
  const all = (value: Value) => ops.sum(value, [...value.dims.keys()], false);
  return [undo, undefined, () => ops.sub(all(g), all(undo()))];
};

function repeated({ x, g, path, constant, ops, refuse }: Site, mode: string): Value {
  const rank = x(0).dims.length;
  const axes = axesOf(constant(3) ?? [...Array(rank).keys()], rank, path);
  const pads = constant(1) ?? [];
  const source = SOURCES[mode] ?? refuse(`mode "${mode}"`);
  return axes.reduceRight((value, axis, i) => {
    const [before, after] = [pads[i] ?? 0, pads[i + axes.length] ?? 0];
    if (before === 0 && after === 0) return value;
    const size = fixed(x(0).dims[axis]!, path);
    // What negative amounts cut off is not there to be repeated.
    const cut = Math.max(0, -before);
    const left = size - cut - Math.max(0, -after);
    const indices = Array.from(
      { length: elements([size + before + after], path) },
      (_, at) => cut + source(at - Math.max(0, before), left),
    );
    // Axes before this one are still padded.
    const like = {
      ...x(0),
      dims: x(0).dims.map((dim, at) => (axes.slice(0, i).includes(at) ? g.dims[at]! : dim)),
    };
    return addAlong(ops, value, axis, ops.ints(indices), like);
  }, g);
}

/** Which element of an axis a padded position repeats. */
const SOURCES: Readonly<Record<string, (at: number, size: number) => number>> = {
  edge: (at, size) => Math.min(Math.max(at, 0), size - 1),
  reflect: (at, size) => {
    const period = Math.max(2 * (size - 1), 1);
    const inside = ((at % period) + period) % period;
    return Math.min(inside, period - inside) % size;
  },
  wrap: (at, size) => ((at % size) + size) % size,
};

/** Ops that cut, join and pad. */
export const slices: Rules = { Slice: slice, Concat: concat, Split: split, Pad: pad };
