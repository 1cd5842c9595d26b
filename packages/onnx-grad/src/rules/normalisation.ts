import type { Rule, Rules } from '../rule.js';
import type { Value } from '../value.js';

/** y = (x - mean) * scale / sqrt(variance + epsilon) + bias, with the statistics of training. */
const batchNormalization: Rule = ({ x, g, attr, ops, refuse }) => {
  const { mul, sub, div, add, sqrt, sum, neg, unsqueeze } = ops;
  if (attr.int('training_mode', 0) !== 0) refuse('training_mode');
  const rank = x(0).dims.length;
  // [C] -> [C, 1, ...] to line up with [N, C, ...]
  const channels = (value: Value) =>
    unsqueeze(
      value,
      [...Array(Math.max(0, rank - 2)).keys()].map((i) => i + 1),
    );
  const perChannel = (value: Value) =>
    sum(
      value,
      [...Array(rank).keys()].filter((axis) => axis !== 1),
      false,
    );
  const deviation = () => sqrt(add(x(4), attr.float('epsilon', 1e-5)));
  const factor = () => div(x(1), deviation());
  const centred = () => sub(x(0), channels(x(3)));
  return [
    () => mul(g, channels(factor())),
    () => div(perChannel(mul(g, centred())), deviation()),
    () => perChannel(g),
    () => neg(mul(perChannel(g), factor())),
    () =>
      mul(div(mul(perChannel(mul(g, centred())), factor()), add(x(4), attr.float('epsilon', 1e-5))), -0.5),
  ];
};

/** Normalisations. */
export const normalisations: Rules = { BatchNormalization: batchNormalization };
