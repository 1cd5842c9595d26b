import { fail } from '@gauntlet/onnx';

import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { axesOf, axisOf, fixed } from '../value.js';
import { countAlong } from './reduce.js';

const range = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** y = (x - mean) * scale / sqrt(variance + epsilon) + bias, with the statistics of training. */
const batchNormalization: Rule = ({ x, g, attr, ops, refuse }) => {
  const { mul, sub, div, add, sqrt, sum, neg, unsqueeze } = ops;
  if (attr.int('training_mode', 0) !== 0) refuse('training_mode');
  const rank = x(0).dims.length;
  // [C] -> [C, 1, ...] to line up with [N, C, ...]
  const channels = (value: Value) => unsqueeze(value, range(1, rank - 1));
  const perChannel = (value: Value) =>
    sum(
      value,
      range(0, rank).filter((axis) => axis !== 1),
      false,
    );
  const variance = () => add(x(4), attr.float('epsilon', 1e-5));
  const factor = () => div(x(1), sqrt(variance()));
  const centred = () => sub(x(0), channels(x(3)));
  return [
    () => mul(g, channels(factor())),
    () => div(perChannel(mul(g, centred())), sqrt(variance())),
    () => perChannel(g),
    () => neg(mul(perChannel(g), factor())),
    () => mul(div(mul(perChannel(mul(g, centred())), factor()), variance()), -0.5),
  ];
};

/** x standardised over some axes, and the gradient through that. */
interface Standard {
  readonly value: Value;
  /** Gradient of x from the gradient of the standardised x. */
  back(gradient: Value): Value;
}

/** z = (x - mean) / sqrt(variance + epsilon): dx = (dz - mean(dz) - z mean(dz z)) / sqrt(variance + epsilon). */
function standardised(
  { mean, sub, square, add, sqrt, div, mul }: Site['ops'],
  x: Value,
  axes: readonly number[],
  epsilon: number,
): Standard {
  const centred = sub(x, mean(x, axes));
  const deviation = sqrt(add(mean(square(centred), axes), epsilon));
  const value = div(centred, deviation);
  const back = (dz: Value) =>
    div(sub(sub(dz, mean(dz, axes)), mul(value, mean(mul(dz, value), axes))), deviation);
  return { value, back };
}

/** z = x / sqrt(mean(x^2) + epsilon): dx = (dz - z mean(dz z)) / sqrt(mean(x^2) + epsilon). */
function scaledToOne(
  { mean, sub, square, add, sqrt, div, mul }: Site['ops'],
  x: Value,
  axes: readonly number[],
  epsilon: number,
): Standard {
  const root = sqrt(add(mean(square(x), axes), epsilon));
  const value = div(x, root);
  return { value, back: (dz) => div(sub(dz, mul(value, mean(mul(dz, value), axes))), root) };
}

/** y = z * scale + bias where z is x standardised and scale and bias line up with x once they are shaped. */
function affine(
  site: Site,
  standard: () => Standard,
  shaped: (parameter: Value) => Value,
  reduced: (value: Value) => Value,
): ReturnType<Rule> {
  const { x, g, ops } = site;
  let made: Standard | undefined;
  const once = () => (made ??= standard());
  return [
    () => once().back(ops.mul(g, shaped(x(1)))),
    () => reduced(ops.mul(g, once().value)),
    () => reduced(g),
  ];
}

const instanceNormalization: Rule = (site) => {
  const { x, attr, ops } = site;
  const rank = x(0).dims.length;
  return affine(
    site,
    () => standardised(ops, x(0), range(2, rank), attr.float('epsilon', 1e-5)),
    (parameter) => ops.unsqueeze(parameter, range(1, rank - 1)),
    (value) => ops.sum(value, [0, ...range(2, rank)], false),
  );
};

/** Normalises over the last axes. */
const layerNormalization: Rule = (site) => {
  const { x, attr, ops, path } = site;
  const rank = x(0).dims.length;
  const axes = range(axisOf(attr.int('axis', -1), rank, path), rank);
  const standard = () => {
    const made = standardised(ops, x(0), axes, attr.float('epsilon', 1e-5));
    return {
      ...made,
      back: (dz: Value) => throughStatistics(site, made, axes).reduce(ops.add, made.back(dz)),
    };
  };
  return affine(site, standard, same, same);
};

/** What arrives at the optional outputs mean and 1 / deviation: dmean / n and -z inverse^2 dinverse / n. */
function throughStatistics(
  { reached, gradient, y, x, ops }: Site,
  { value }: Standard,
  axes: readonly number[],
): Value[] {
  const { div, mul, neg, square } = ops;
  const count = countAlong(ops, x(0), axes);
  return [
    ...(reached(1) ? [div(gradient(1), count)] : []),
    ...(reached(2) ? [neg(div(mul(mul(gradient(2), square(y(2))), value), count))] : []),
  ];
}

const rmsNormalization: Rule = (site) => {
  const { x, attr, ops, path } = site;
  const rank = x(0).dims.length;
  const axes = range(axisOf(attr.int('axis', -1), rank, path), rank);
  return affine(site, () => scaledToOne(ops, x(0), axes, attr.float('epsilon', 1e-5)), same, same);
};

const same = (value: Value) => value;

/** [N, C, ...] -> [N, G, C / G, ...]; scale and bias are per group up to opset 20, per channel from 21. */
const groupNormalization: Rule = (site) => {
  const { x, g, attr, ops, path, graph } = site;
  const rank = x(0).dims.length;
  const groups = attr.int('num_groups', 1);
  const channels = fixed(x(0).dims[1] ?? 0, path);
  if (!(groups >= 1) || channels % groups !== 0) {
    fail(
      'bad-attribute',
      `Unexpected ${groups} at attribute "num_groups" of ${path}, expected a divisor of ${channels}. Export the model again.`,
    );
  }
  const [n, , ...spatial] = x(0).dims;
  const split = { name: x(0).name, dtype: x(0).dtype, dims: [n!, groups, channels / groups, ...spatial] };
  const perGroup = graph.opset < 21;
  const parameter = (value: Value) =>
    ops.reshapeTo(value, [groups, perGroup ? 1 : channels / groups, ...spatial.map(() => 1)]);
  const reduced = (value: Value) =>
    ops.reshape(ops.sum(value, [0, ...(perGroup ? [2] : []), ...range(3, rank + 1)], false), x(1));
  const inner: Site = { ...site, g: ops.reshape(g, split) };
  const shapedBack = ({ value, back }: Standard): Standard => ({
    value,
    back: (dz) => ops.reshape(back(dz), x(0)),
  });
  return affine(
    inner,
    () =>
      shapedBack(
        standardised(ops, ops.reshape(x(0), split), range(2, rank + 1), attr.float('epsilon', 1e-5)),
      ),
    parameter,
    reduced,
  );
};

const meanVariance: Rule = ({ x, g, attr, ops, path }) => [
  () => standardised(ops, x(0), axesOf(attr.ints('axes', [0, 2, 3]), x(0).dims.length, path), 0).back(g),
];

/** y = x / |x|_p; a vector of zeros has no direction and gets no gradient. */
const lpNormalization: Rule = ({ x, y, g, attr, path, ops }) => {
  const { mul, sub, sum, div, sign, emit, where, equal, ints } = ops;
  const axis = axisOf(attr.int('axis', -1), x(0).dims.length, path);
  const p = attr.int('p', 2);
  return [
    () => {
      const norm = emit(p === 1 ? 'ReduceL1' : 'ReduceL2', [x(0), ints([axis])]);
      const direction = p === 1 ? sign(x(0)) : y();
      const change = sub(g, mul(direction, sum(mul(g, y()), [axis])));
      return where(equal(norm, 0), 0, div(change, norm));
    },
  ];
};

/** y = x D^-beta with D = bias + alpha / size * (sum of squares over a window of channels). */
const lrn: Rule = ({ x, g, attr, path, ops }) => [
  () => {
    const { emit, mul, add, sub, pow, square, reshape, ints } = ops;
    const size = attr.int('size', 1);
    const [alpha, beta, bias] = [attr.float('alpha', 1e-4), attr.float('beta', 0.75), attr.float('bias', 1)];
    const channels = fixed(x(0).dims[1] ?? 0, path);
    const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
    const rank = x(0).dims.length;
    // [N, C, ...] -> [N, ..., C], where an AveragePool slides along the last axis of [elements, 1, C]
    const last = [0, ...range(2, rank), 1];
    const pooled = (value: Value, start: number, end: number): Value => {
      const turned = ops.transpose(value, last);
      const lines = emit(
        'Reshape',
        [turned, ints([-1, 1, channels])],
        {},
        { dtype: g.dtype, dims: ['lines', 1, channels] },
      );
      const attributes = { kernel_shape: [size], pads: [start, end], count_include_pad: 1 };
      const mean = emit('AveragePool', [lines], attributes, lines);
      return ops.transpose(
        reshape(mean, turned),
        last.map((_, i) => last.indexOf(i)),
      );
    };
    const base = add(mul(pooled(square(x(0)), before, after), alpha), bias);
    const spread = pooled(mul(mul(g, x(0)), pow(base, -beta - 1)), after, before);
    return sub(mul(g, pow(base, -beta)), mul(mul(x(0), spread), 2 * alpha * beta));
  },
];

/** Normalisations. */
export const normalisations: Rules = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  MeanVarianceNormalization: meanVariance,
  LpNormalization: lpNormalization,
  LRN: lrn,
};
