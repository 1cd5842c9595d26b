import type { Ops } from '../ops.js';
import type { Site } from '../rule.js';
import type { Phases, Value } from '../value.js';
import { phasesFor } from './conv-lowering.js';
import { type Reading, scaled, STEEP } from './depthwise.js';
import { offsetsOf } from './phases.js';

/** Bounds that are nearer to 0, without being it, cannot be told from their neighbours by a product. */
const NEAREST = 2 ** -64;

/** g where y > 0, else 0, for a y that is not negative. */
export const whenPositive = (site: Site, y: Value, g: Value): Value => whenInside(site, y, 0, Infinity, g);

/** The gradient of a node that clips: what has arrived, where its result lies inside the bounds, else 0. Gradients by phases stay so where that is cheaper. */
export function clipped(site: Site, low: number, high: number): Value | Phases {
  const { ops, node, x } = site;
  const y = site.y();
  const phases = isFast(site, y, low, high) ? phasesFor(site, node.input[0]!) : undefined;
  if (phases === undefined) return whenInside(site, y, low, high, site.g);
  const mask = maskOf(ops, y, low, high);
  const { stride } = phases;
  const masked = offsetsOf(stride).map((offsets, phase) => {
    const g = phases.phases[phase];
    return g && mask(g, { offsets, stride, counts: g.dims.slice(2) as number[] });
  });
  return { stride, phases: masked, whole: x(0) };
}

/** g where low < y < high, else 0, for a y that was clipped to these bounds. The fast form multiplies by a mask of exact zeros and ones. */
export function whenInside(site: Site, y: Value, low: number, high: number, g: Value): Value {
  const { ops, lowering } = site;
  const { mul, where, and, greater, less, cast } = ops;
  if (isFast(site, y, low, high)) return maskOf(ops, y, low, high)(g);
  if (lowering === 'blocked' && y.dtype === 'float32' && low === 0 && high === Infinity)
    return mul(g, cast(cast(y, 'bool'), 'float32'));
  const inside = [
    ...(low === -Infinity ? [] : [greater(y, low)]),
    ...(high === Infinity ? [] : [less(y, high)]),
  ];
  return inside.length === 0 ? g : where(inside.reduce(and), g, 0);
}

const isFast = (site: Site, y: Value, ...bounds: readonly number[]): boolean =>
  site.lowering === 'blocked' &&
  y.dtype === 'float32' &&
  hasBlocks(site, y) &&
  bounds.every((bound) => bound === 0 || Math.abs(bound) >= NEAREST);

/** What multiplies a gradient, or a phase of it, by 1 where low < y < high, and by 0 elsewhere. */
function maskOf(ops: Ops, y: Value, low: number, high: number): (g: Value, reading?: Reading) => Value {
  const { emit, mul, scalar } = ops;
  if (low === 0 && high === Infinity) {
    const bounds = [0, 1].map((bound) => scalar(bound, 'float32'));
    return (g, reading) => mul(g, emit('Clip', [scaled(ops, y, STEEP, 0, reading), ...bounds]));
  }
  const outside =
    low === 0
      ? [ends(ops, y, high)]
      : [low, high].filter(Number.isFinite).map((bound) => at(ops, y, bound, bound === low));
  return (g, reading) => outside.reduce((masked, one) => mul(masked, scaled(ops, one, -1, 1, reading)), g);
}

/** Whether ONNX Runtime keeps a tensor in its blocked layout: images with a known number of channels, unless a convolution made them whose weights may change. */
function hasBlocks({ graph }: Site, { name, dims }: Value): boolean {
  if (dims.length !== 4 || typeof dims[1] !== 'number') return false;
  const active = graph.producer(name);
  const maker = active?.opType === 'Conv' ? active : graph.producer(active?.input[0] ?? '');
  return maker?.opType !== 'Conv' || graph.constantType(maker.input[1] ?? '') !== undefined;
}

/** 1 where y is at the bound, 0 where it is inside: relu(1 - s |y - bound|), with a slope s that the next number brings to 0. A convolution with its Relu costs no more than without. */
function at(ops: Ops, y: Value, bound: number, isLow: boolean): Value {
  const slope = (isLow ? -1 : 1) * steepness(bound, isLow);
  return ops.emit('Relu', [scaled(ops, y, slope, 1 - slope * bound)]);
}

/**
 * 1 where y is 0 or high, 0 between: relu(1 - c + s y + relu(c - steep y)), with c = s high, which are whole numbers that floats hold. At both ends one of the terms in y
 * is c; between them their sum is at most c - 1.
 */
function ends(ops: Ops, y: Value, high: number): Value {
  const slope = steepness(high, false);
  const low = ops.emit('Relu', [scaled(ops, y, -STEEP, slope * high)]);
  return ops.emit('Relu', [ops.add(scaled(ops, y, slope, 1 - slope * high), low)]);
}

/** The inverse of the distance from a bound to the next number inside: a power of two, by which the bound is a whole number up to 2^24. */
function steepness(bound: number, isLow: boolean): number {
  if (bound === 0) return STEEP;
  const bits = new Int32Array(Float32Array.of(bound).buffer);
  bits[0]! += bound > 0 === isLow ? 1 : -1;
  return 1 / Math.abs(new Float32Array(bits.buffer)[0]! - Math.fround(bound));
}
