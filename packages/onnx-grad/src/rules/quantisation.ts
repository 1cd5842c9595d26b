import { dtypeOf, fail } from '@gauntlet/onnx';

import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { axisOf } from '../value.js';

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint4: [0, 15],
  int4: [-8, 7],
};

/** Scale or zero point, lined up with the axis it belongs to. */
function alongAxis({ x, attr, path, ops, refuse }: Site, i: number): Value {
  const [value, rank] = [x(i), x(0).dims.length];
  if (value.dims.length > 1) return refuse('quantisation in blocks');
  if (value.dims.length === 0) return value;
  const axis = axisOf(attr.int('axis', 1), rank, path);
  return ops.unsqueeze(
    value,
    [...Array(rank).keys()].filter((at) => at !== axis),
  );
}

/** The gradient of a scale from that of each element. */
function total({ x, attr, path, ops }: Site, each: Value): Value {
  const rank = each.dims.length;
  const axis = x(1).dims.length === 0 ? -1 : axisOf(attr.int('axis', 1), rank, path);
  return ops.reshape(
    ops.sum(
      each,
      [...each.dims.keys()].filter((at) => at !== axis),
      false,
    ),
    x(1),
  );
}

/** Straight through: rounding counts as no change, and what was cut off at the ends of the range gets nothing. */
const quantize: Rule = (site) => {
  const { x, g, has, attr, path, ops } = site;
  const { emit, div, add, mul, neg, cast, where, and, greaterOrEqual, lessOrEqual } = ops;
  const passed = () => {
    const dtype = has(2) ? x(2).dtype : (dtypeOf(attr.int('output_dtype', 0)) ?? 'uint8');
    const [low, high] =
      RANGES[dtype] ??
      fail('bad-type', `Unexpected ${dtype} at ${path}, expected integers. Export the model again.`);
    const scale = alongAxis(site, 1);
    const rounded = emit('Round', [div(x(0), scale)]);
    const level = has(2) ? add(rounded, cast(alongAxis(site, 2), rounded.dtype)) : rounded;
    return where(
      and(greaterOrEqual(level, low), lessOrEqual(level, high)),
      div(cast(g, scale.dtype), scale),
      0,
    );
  };
  return [passed, () => total(site, neg(div(mul(passed(), x(0)), alongAxis(site, 1))))];
};

/** y = (x - zero) * scale; the gradient of the integers is kept in floats. */
const dequantize: Rule = (site) => {
  const { x, g, has, ops } = site;
  const levels = () => {
    const level = ops.cast(x(0), g.dtype);
    return has(2) ? ops.sub(level, ops.cast(alongAxis(site, 2), g.dtype)) : level;
  };
  return [() => ops.mul(g, alongAxis(site, 1)), () => total(site, ops.mul(g, levels()))];
};

/** Quantisation as pairs of QuantizeLinear and DequantizeLinear; before opset 21, ONNX Runtime has its own for 16 bits. */
export const quantisations: Rules = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  'com.microsoft.QuantizeLinear': quantize,
  'com.microsoft.DequantizeLinear': dequantize,
};
