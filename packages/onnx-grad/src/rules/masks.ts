import type { Site } from '../rule.js';
import type { Value } from '../value.js';
import { elements } from '../value.js';

/**
 * Scales every normal number above 0 to at least 1, which is then clipped to 1, as is a product that overflows. A power of two: exact.
 */
const STEEP = 2 ** 127;

/** As steep as a difference to a bound of usual size may be without overflowing. */
const STEEP_DIFFERENCE = 2 ** 100;

/** g where y > 0, else 0, for a y that is not negative. The fast form multiplies by a mask of exact zeros and ones. */
export function whenPositive(site: Site, y: Value, g: Value): Value {
  const { ops, lowering } = site;
  const { mul, where, greater, cast } = ops;
  if (lowering === 'plain' || y.dtype !== 'float32') return where(greater(y, 0), g, 0);
  return mul(g, hasBlocks(site, y) ? steps(ops, y, STEEP, 0) : cast(cast(y, 'bool'), 'float32'));
}

/** g where low < y < high, else 0, for a y that was clipped to these bounds. */
export function whenInside(site: Site, y: Value, low: number, high: number, g: Value): Value {
  const { ops, lowering } = site;
  const { mul, where, and, greater, less } = ops;
  if (low === 0 && high === Infinity) return whenPositive(site, y, g);
  if (lowering === 'plain' || y.dtype !== 'float32' || !hasBlocks(site, y)) {
    const bounds = [
      ...(low === -Infinity ? [] : [greater(y, low)]),
      ...(high === Infinity ? [] : [less(y, high)]),
    ];
    return bounds.length === 0 ? g : where(bounds.reduce(and), g, 0);
  }
  if (low === 0) return mul(g, insideOf(ops, y, high));
  const above = low === -Infinity ? g : mul(g, steps(ops, y, STEEP_DIFFERENCE, -low));
  return high === Infinity ? above : mul(above, steps(ops, y, -STEEP_DIFFERENCE, -high));
}

/** Whether ONNX Runtime keeps a tensor in its blocked layout: images with a known number of channels, unless a convolution made them whose weights may change. */
function hasBlocks({ graph }: Site, { name, dims }: Value): boolean {
  if (dims.length !== 4 || typeof dims[1] !== 'number') return false;
  const active = graph.producer(name);
  const maker = active?.opType === 'Conv' ? active : graph.producer(active?.input[0] ?? '');
  return maker?.opType !== 'Conv' || graph.value(maker.input[1] ?? '') !== undefined;
}

/** clip(slope * (y + shift), 0, 1) as a depthwise 1x1 convolution that is fused with its Clip. */
function steps(ops: Site['ops'], y: Value, slope: number, shift: number): Value {
  return clipped(ops, scaled(ops, y, slope, slope * shift), 0, 1);
}

/**
 * 1 where 0 < y < high, 0 at both ends, for 0 <= y <= high: with a steep s, q = min(s^3 y, s high) is 0 at y = 0 and s high above it,
 * and tanh(q - s y) is 0 at both ends and 1 between them. Both convolutions are fused with what follows.
 */
function insideOf(ops: Site['ops'], y: Value, high: number): Value {
  const step = 2 ** 40;
  const top = step * Math.fround(high);
  const ceiling = clipped(ops, scaled(ops, y, STEEP / 4, 0), 0, top);
  return ops.tanh(ops.add(scaled(ops, y, -step, 0), ceiling));
}

/** slope * y + bias as a depthwise 1x1 convolution. */
export function scaled({ emit, constant }: Site['ops'], y: Value, slope: number, bias: number): Value {
  const channels = y.dims[1] as number;
  const each = (value: number, dims: readonly number[]) =>
    constant({ dtype: 'float32', dims, data: new Float32Array(elements(dims, `"${y.name}"`)).fill(value) });
  const inputs = [y, each(slope, [channels, 1, 1, 1]), ...(bias === 0 ? [] : [each(bias, [channels])])];
  return emit('Conv', inputs, { group: channels, kernel_shape: [1, 1] }, y);
}

const clipped = ({ emit, scalar }: Site['ops'], x: Value, low: number, high: number): Value =>
  emit('Clip', [x, scalar(low, 'float32'), scalar(high, 'float32')]);
