import { numbersOf } from '@gauntlet/onnx';

import type { Rule, Rules } from '../rule.js';
import { whenInside, whenPositive } from './masks.js';
import { maskedByPool } from './pool.js';

const relu: Rule = (site) => [
  () => (maskedByPool(site, site.node.output[0]!) ? site.g : whenPositive(site, site.y(), site.g)),
];

/** At constant bounds the gradient is 0, as torch.clamp and relu6 have it; bounds that are tensors take it over there. */
const clip: Rule = (site) => {
  const { x, y, g, has, graph, node } = site;
  const { where, and, less, greater, lessOrEqual, greaterOrEqual } = site.ops;
  const bound = (i: number, none: number) => {
    if (!has(i)) return none;
    const value = graph.value(node.input[i]!);
    return value === undefined ? undefined : numbersOf(value)[0];
  };
  const [low, high] = [bound(1, -Infinity), bound(2, Infinity)];
  return [
    () => {
      if (low !== undefined && high !== undefined) return whenInside(site, y(), low, high, g);
      return where(
        [...(has(1) ? [greater(x(0), x(1))] : []), ...(has(2) ? [less(x(0), x(2))] : [])].reduce(and),
        g,
        0,
      );
    },
    () => where(lessOrEqual(x(0), x(1)), g, 0),
    () => where(greaterOrEqual(x(0), x(2)), g, 0),
  ];
};

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
  Elu: ({ x, g, attr, ops: { where, greater, mul, exp, min } }) => [
    () => where(greater(x(0), 0), g, mul(g, mul(exp(min(x(0), 0)), attr.float('alpha', 1)))),
  ],
  Sigmoid: ({ y, g, ops: { mul, sub } }) => [() => mul(g, mul(y(), sub(1, y())))],
  HardSigmoid: ({ y, g, attr, ops: { where, and, greater, less, mul } }) => [
    () => where(and(greater(y(), 0), less(y(), 1)), mul(g, attr.float('alpha', 0.2)), 0),
  ],
  HardSwish: ({ x, g, ops: { where, less, lessOrEqual, mul, add } }) => [
    () => where(lessOrEqual(x(0), -3), 0, where(less(x(0), 3), mul(g, add(mul(x(0), 1 / 3), 0.5)), g)),
  ],
  Tanh: ({ y, g, ops: { mul, sub, square } }) => [() => mul(g, sub(1, square(y())))],
  Softplus: ({ x, g, ops: { mul, sigmoid } }) => [() => mul(g, sigmoid(x(0)))],
};
