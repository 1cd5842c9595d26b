import type { Operand } from '../ops.js';
import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { axesOf, axisOf } from '../value.js';

/** How a Reduce node's results and its input fit together, whether its axes are constants or computed at run time. */
interface Reduction {
  /** Makes a tensor of the output's shape ready to broadcast against the input. */
  widen(value: Value): Value;
  /** Sums a tensor of the input's shape over the axes; the result broadcasts against the input. */
  total(value: Value): Value;
  /** How many elements become one. */
  count(): Operand;
  /** The axes, where they are constants. */
  readonly axes?: readonly number[];
}

function reductionOf(site: Site): Reduction {
  const { x, y, has, constant, node, graph, attr, path, ops } = site;
  const input = x(0);
  const dropped = attr.int('keepdims', 1) === 0;
  if (has(1) && graph.value(node.input[1]!) === undefined) {
    const axes = x(1);
    const ones = ops.emit('Expand', [ops.int(1), ops.shape(axes)], {}, axes);
    const shape = ops.emit('ScatterElements', [ops.shape(input), axes, ones], { axis: 0 });
    const type = { dtype: y().dtype, dims: input.dims };
    const size = (value: Value) => ops.cast(ops.emit('Size', [value]), input.dtype);
    return {
      widen: (value) =>
        ops.emit('Expand', [ops.emit('Reshape', [value, shape], {}, type), ops.shape(input)], {}, type),
      total: (value) =>
        ops.emit('Expand', [ops.emit('ReduceSum', [value, axes], {}, type), ops.shape(input)], {}, type),
      count: () => ops.div(size(input), size(y())),
    };
  }
  const given = constant(1) ?? [];
  const every = [...input.dims.keys()];
  const none = attr.int('noop_with_empty_axes', 0) === 0 ? every : [];
  const axes = given.length > 0 ? axesOf(given, every.length, path) : none;
  return {
    widen: (value) => {
      if (!dropped || axes.length === 0) return value;
      return axes.length === every.length
        ? ops.reshapeTo(
            value,
            axes.map(() => 1),
          )
        : ops.unsqueeze(value, axes);
    },
    total: (value) => ops.sum(value, axes),
    count: () => countAlong(ops, input, axes),
    axes,
  };
}

/** How many elements lie along the axes: a number, or a scalar that is read at run time. */
export function countAlong(ops: Site['ops'], x: Value, axes: readonly number[]): Operand {
  const sizes = axes.map((axis) => x.dims[axis]!);
  if (sizes.every((size) => typeof size === 'number')) return sizes.reduce((total, size) => total * size, 1);
  const chosen = ops.emit('Gather', [ops.shape(x), ops.ints(axes)]);
  return ops.cast(ops.product(chosen, [0], false), x.dtype);
}

/** A reduction's rule from the gradient of each element, given the widened output and its gradient. */
const reduction =
  (
    gradient: (
      site: Site,
      parts: Reduction & { readonly wide: () => Value; readonly arriving: Value },
    ) => Value,
  ): Rule =>
  (site) => [
    () => {
      const parts = reductionOf(site);
      return gradient(site, { ...parts, arriving: parts.widen(site.g), wide: () => parts.widen(site.y()) });
    },
  ];

/** Maximum and minimum share the gradient evenly among equal elements, as torch.amax has it. */
const extreme = reduction(({ x, ops: { cast, equal, mul, div } }, { wide, arriving, total }) => {
  const mask = cast(equal(x(0), wide()), arriving.dtype);
  return mul(mask, div(arriving, total(mask)));
});

/** Softmax: y * (g - sum(g * y)). The mean is taken off twice: near saturation the first difference is nothing but rounding. */
const softmax: Rule = ({ x, y, g, attr, path, ops: { mul, sub, sum } }) => {
  const axis = axisOf(attr.int('axis', -1), x(0).dims.length, path);
  const centred = (value: Value) => sub(value, sum(mul(value, y()), [axis]));
  return [() => mul(y(), centred(centred(g)))];
};

/** LogSoftmax: g - exp(y) * sum(g). */
const logSoftmax: Rule = ({ x, y, g, attr, path, ops: { mul, sub, sum, exp } }) => {
  const axis = axisOf(attr.int('axis', -1), x(0).dims.length, path);
  return [() => sub(g, mul(exp(y()), sum(g, [axis])))];
};

/** The product of all other elements: with one zero it is that zero's alone, with two it vanishes. */
const product = reduction(({ x, ops }, { wide, arriving, total }) => {
  const { cast, equal, where, mul, div, exp, log, abs, sign } = ops;
  const zero = equal(x(0), 0);
  const zeros = total(cast(zero, arriving.dtype));
  return where(equal(zeros, 0), mul(arriving, div(wide(), where(zero, 1, x(0)))), othersOf());

  /** Where a zero stands alone: sign and size of the product of the others. */
  function othersOf(): Value {
    const others = where(zero, 1, x(0));
    const negative = total(cast(ops.less(others, 0), arriving.dtype));
    const parity = ops.sub(1, mul(2, ops.sub(negative, mul(2, ops.emit('Floor', [mul(negative, 0.5)])))));
    const size = exp(total(log(abs(others))));
    return where(ops.and(zero, equal(zeros, 1)), mul(arriving, mul(mul(parity, abs(sign(others))), size)), 0);
  }
});

/** Reductions; the walker widens what is smaller than the input. */
export const reductions: Rules = {
  ReduceSum: reduction((_, { arriving }) => arriving),
  ReduceMean: reduction(({ ops }, { arriving, count }) => ops.div(arriving, count())),
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceProd: product,
  ReduceL1: reduction(({ x, ops: { mul, sign } }, { arriving }) => mul(arriving, sign(x(0)))),
  // A norm of 0 has the subgradient 0.
  ReduceL2: reduction(({ x, ops: { mul, div, where, equal } }, { wide, arriving }) =>
    where(equal(wide(), 0), 0, mul(arriving, div(x(0), wide()))),
  ),
  ReduceSumSquare: reduction(({ x, ops: { mul } }, { arriving }) => mul(arriving, mul(x(0), 2))),
  ReduceLogSum: reduction(({ ops: { div, exp } }, { wide, arriving }) => div(arriving, exp(wide()))),
  // Dividing by the sum takes out the rounding of a large y.
  ReduceLogSumExp: reduction(({ x, ops: { emit, mul, div, exp, sub } }, { wide, arriving, total, axes }) => {
    if (axes?.length === 1) return mul(arriving, emit('Softmax', [x(0)], { axis: axes[0] }, x(0)));
    const shares = exp(sub(x(0), wide()));
    return mul(arriving, div(shares, total(shares)));
  }),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};
