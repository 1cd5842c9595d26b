import type { Operand } from '../ops.js';
import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { axesOf, axisOf } from '../value.js';

/** The axes that a Reduce node works on. */
export function reducedAxes({ x, constant, attr, path }: Site): number[] {
  const rank = x(0).dims.length;
  const given = constant(1) ?? [];
  if (given.length > 0) return axesOf(given, rank, path);
  return attr.int('noop_with_empty_axes', 0) === 0 ? x(0).dims.map((_, i) => i) : [];
}

/** Puts axes of size 1 back where a Reduce node with keepdims=0 took them out. */
export function kept({ attr, ops, x }: Site, value: Value, axes: readonly number[]): Value {
  if (attr.int('keepdims', 1) !== 0 || axes.length === 0) return value;
  return axes.length === x(0).dims.length
    ? ops.reshapeTo(
        value,
        axes.map(() => 1),
      )
    : ops.unsqueeze(value, axes);
}

/** How many elements lie along the axes: a number, or a scalar that is read at run time. */
export function countAlong({ ops }: Site, x: Value, axes: readonly number[]): Operand {
  const sizes = axes.map((axis) => x.dims[axis]!);
  if (sizes.every((size) => typeof size === 'number')) return sizes.reduce((total, size) => total * size, 1);
  const chosen = ops.emit('Gather', [ops.shape(x), ops.ints(axes)]);
  return ops.cast(ops.product(chosen, [0], false), x.dtype);
}

/** Maximum and minimum share the gradient evenly among equal elements, as torch.amax has it. */
const extreme: Rule = (site) => {
  const { x, y, g, ops } = site;
  const axes = reducedAxes(site);
  return [
    () => {
      const mask = ops.cast(ops.equal(x(0), kept(site, y(), axes)), g.dtype);
      return ops.mul(mask, ops.div(kept(site, g, axes), ops.sum(mask, axes)));
    },
  ];
};

/** Softmax: y * (g - sum(g * y)); LogSoftmax: g - exp(y) * sum(g). */
const softmax: Rule = ({ x, y, g, attr, path, ops: { mul, sub, sum } }) => {
  const axis = axisOf(attr.int('axis', -1), x(0).dims.length, path);
  return [() => mul(y(), sub(g, sum(mul(g, y()), [axis])))];
};

const logSoftmax: Rule = ({ x, y, g, attr, path, ops: { mul, sub, sum, exp } }) => {
  const axis = axisOf(attr.int('axis', -1), x(0).dims.length, path);
  return [() => sub(g, mul(exp(y()), sum(g, [axis])))];
};

/** Reductions; the walker widens what is smaller than the input. */
export const reductions: Rules = {
  ReduceSum: (site) => [() => kept(site, site.g, reducedAxes(site))],
  ReduceMean: (site) => [
    () => {
      const axes = reducedAxes(site);
      return site.ops.div(kept(site, site.g, axes), countAlong(site, site.x(0), axes));
    },
  ],
  ReduceMax: extreme,
  ReduceMin: extreme,
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};
