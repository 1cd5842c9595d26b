import { fail, numbersOf } from '@gauntlet/onnx';

import type { Rule, Rules, Site } from '../rule.js';
import { clipped, whenInside } from './masks.js';
import { maskedByPool } from './pool.js';

const relu: Rule = (site) => [
  () => (maskedByPool(site, site.node.output[0]!) ? (site.phases() ?? site.g) : clipped(site, 0, Infinity)),
];

/** At constant bounds the gradient is 0, as torch.clamp and relu6 have it; bounds that are tensors take it over there. */
const clip: Rule = (site) => {
  const { x, has, graph, node } = site;
  const { where, and, or, less, greater, lessOrEqual, greaterOrEqual } = site.ops;
  const bound = (i: number, none: number) => {
    if (!has(i)) return none;
    const value = graph.value(node.input[i]!);
    return value === undefined ? undefined : numbersOf(value)[0];
  };
  const [low, high] = [bound(1, -Infinity), bound(2, Infinity)];
  return [
    () => {
      if (low !== undefined && high !== undefined) return clipped(site, low, high);
      return where(
        [...(has(1) ? [greater(x(0), x(1))] : []), ...(has(2) ? [less(x(0), x(2))] : [])].reduce(and),
        site.g,
        0,
      );
    },
    // Where the bounds cross, the result is the upper one.
    () => where([lessOrEqual(x(0), x(1)), ...(has(2) ? [less(x(1), x(2))] : [])].reduce(and), site.g, 0),
    () =>
      where([greaterOrEqual(x(0), x(2)), ...(has(1) ? [lessOrEqual(x(2), x(1))] : [])].reduce(or), site.g, 0),
  ];
};

/** x > 0 passes the gradient, the other side is an exponential: Elu, Selu and Celu. */
const exponential =
  (scale: (site: Site) => { readonly above: number; readonly below: number; readonly rate: number }): Rule =>
  (site) => [
    () => {
      const { x, g, ops } = site;
      const { where, greater, mul, exp, min } = ops;
      const { above, below, rate } = scale(site);
      const falling = mul(exp(mul(min(x(0), 0), rate)), below);
      return where(greater(x(0), 0), above === 1 ? g : mul(g, above), mul(g, falling));
    },
  ];

/** y = x cdf(x): the slope is cdf(x) + x pdf(x), of the normal distribution or of its tanh approximation. */
const gelu: Rule = ({ x, g, attr, path, ops: { emit, mul, add, sub, exp, tanh, square } }) => [
  () => {
    const kind = attr.string('approximate', 'none');
    if (kind === 'none') {
      const cdf = mul(add(emit('Erf', [mul(x(0), Math.SQRT1_2)]), 1), 0.5);
      const pdf = mul(exp(mul(square(x(0)), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return mul(g, add(cdf, mul(x(0), pdf)));
    }
    if (kind !== 'tanh') {
      fail(
        'bad-attribute',
        `Unexpected "${kind}" at attribute "approximate" of ${path}, expected none or tanh. Export the model again.`,
      );
    }
    const [c, cubic] = [Math.sqrt(2 / Math.PI), 0.044715];
    const t = tanh(mul(mul(x(0), add(mul(square(x(0)), cubic), 1)), c));
    const inner = mul(add(mul(square(x(0)), 3 * cubic), 1), c);
    return mul(g, mul(add(add(t, 1), mul(mul(x(0), sub(1, square(t))), inner)), 0.5));
  },
];

/** y = x tanh(softplus(x)) */
const mish: Rule = ({ x, g, ops: { emit, mul, add, sub, sigmoid, tanh, square } }) => [
  () => {
    const t = tanh(emit('Softplus', [x(0)]));
    return mul(g, add(t, mul(mul(x(0), sub(1, square(t))), sigmoid(x(0)))));
  },
];

/** y = x s with s = sigmoid(alpha x) */
const swish: Rule = ({ x, g, attr, ops: { mul, add, sub, sigmoid } }) => [
  () => {
    const scaled = mul(x(0), attr.float('alpha', 1));
    const s = sigmoid(scaled);
    return mul(g, mul(s, add(mul(scaled, sub(1, s)), 1)));
  },
];

const SELU = { alpha: 1.6732631921768188, gamma: 1.0507010221481323 };

/** Activations; where one has a kink, the side is PyTorch's. */
export const activations: Rules = {
  Relu: relu,
  Clip: clip,
  LeakyRelu: ({ x, g, attr, ops: { where, greater, mul } }) => [
    () => where(greater(x(0), 0), g, mul(g, attr.float('alpha', 0.01))),
  ],
  PRelu: ({ x, g, ops: { where, greater, mul } }) => [
    () => where(greater(x(0), 0), g, mul(g, x(1))),
    () => where(greater(x(0), 0), 0, mul(g, x(0))),
  ],
  ThresholdedRelu: ({ x, g, attr, ops: { where, greater } }) => [
    () => where(greater(x(0), attr.float('alpha', 1)), g, 0),
  ],
  Elu: exponential(({ attr }) => ({ above: 1, below: attr.float('alpha', 1), rate: 1 })),
  Celu: exponential(({ attr }) => ({ above: 1, below: 1, rate: 1 / attr.float('alpha', 1) })),
  Selu: exponential(({ attr }) => {
    const gamma = attr.float('gamma', SELU.gamma);
    return { above: gamma, below: gamma * attr.float('alpha', SELU.alpha), rate: 1 };
  }),
  Sigmoid: ({ y, g, ops: { mul, sub } }) => [() => mul(g, mul(y(), sub(1, y())))],
  HardSigmoid: (site) => [
    () => whenInside(site, site.y(), 0, 1, site.ops.mul(site.g, site.attr.float('alpha', 0.2))),
  ],
  HardSwish: ({ x, g, ops: { where, less, lessOrEqual, mul, add } }) => [
    () => where(lessOrEqual(x(0), -3), 0, where(less(x(0), 3), mul(g, add(mul(x(0), 1 / 3), 0.5)), g)),
  ],
  Tanh: ({ y, g, ops: { mul, sub, square } }) => [() => mul(g, sub(1, square(y())))],
  Softplus: ({ x, g, ops: { mul, sigmoid } }) => [() => mul(g, sigmoid(x(0)))],
  Softsign: ({ x, g, ops: { div, add, abs, square } }) => [() => div(g, square(add(abs(x(0)), 1)))],
  Shrink: ({ x, g, attr, ops: { where, greater, abs } }) => [
    () => where(greater(abs(x(0)), attr.float('lambd', 0.5)), g, 0),
  ],
  Erf: ({ x, g, ops: { mul, exp, neg, square } }) => [
    () => mul(g, mul(exp(neg(square(x(0)))), 2 / Math.sqrt(Math.PI))),
  ],
  Gelu: gelu,
  Mish: mish,
  Swish: swish,
};
