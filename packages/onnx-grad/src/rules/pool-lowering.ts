import type { Dim } from '@gauntlet/onnx';

import type { Ops } from '../ops.js';
import type { Site } from '../rule.js';
import type { Phases, Value } from '../value.js';
import { type Reading, scaled, STEEP } from './depthwise.js';
import { BLOCK, offsetsOf, range } from './phases.js';
import { windowOf } from './window.js';

/** Beyond so many places a window costs more by its places than by its indices. */
const MOST_PLACES = 9;

/**
 * The gradient of a MaxPool without its indices, which ONNX Runtime computes slowly and outside its blocked layout. Place k of every
 * window is read by a strided convolution; e_k = relu(1 - steep (y - x_k)) is 1 where the place holds the largest element and 0 where
 * it does not. Place k gets e_k of what is left, r_k = r_(k-1) (1 - e_(k-1)) with r_0 = g, so that the first of equal elements gets all.
 *
 * @param positive whether nothing arrives at windows whose largest element is 0 or less. Then places in the padding, which are read as 0, win nothing.
 * @returns undefined where windows are large, leave gaps, hang over the edge or overlap in fewer channels than half a block, or where shapes are not known.
 */
export function maxPoolByPlaces(site: Site, g: Value, positive: boolean): Value | Phases | undefined {
  const { x, y, ops, lowering } = site;
  const [image, { kernel, strides, dilations, begins }] = [x(0), windowOf(site)];
  const channels = image.dims[1]!;
  const [sizes, counts] = [numbers(image.dims.slice(2)), numbers(g.dims.slice(2))];
  const [stride = 1] = strides;
  if (lowering !== 'blocked' || image.dtype !== 'float32' || kernel.length !== 2 || g.dims.length !== 4)
    return undefined;
  if (typeof channels !== 'number' || sizes === undefined || counts === undefined) return undefined;
  if (strides[1] !== stride || kernel.some((size) => size < stride)) return undefined;
  if (dilations.some((dilation) => dilation !== 1) || kernel[0]! * kernel[1]! > MOST_PLACES) return undefined;
  const tiles = kernel.every((size) => size === stride);
  if (!tiles && channels < BLOCK / 2) return undefined;
  const ends = kernel.map((size, i) => (counts[i]! - 1) * stride + size - begins[i]! - sizes[i]!);
  if (!positive && [...begins, ...ends].some((overhang) => overhang > 0)) return undefined;

  // Of every window, how far each place lies from the window's first pixel that is no padding.
  const places = range(kernel[0]!).flatMap((h) =>
    range(kernel[1]!).map((w) => [h - begins[0]!, w - begins[1]!]),
  );
  const largest = scaled(ops, y(), -1, 0);
  const parts: Value[] = [];
  let rest = g;
  for (const offsets of places.slice(0, -1)) {
    const less = ops.add(scaled(ops, image, 1, 0, { offsets, stride, counts }), largest);
    const equal = ops.emit('Relu', [scaled(ops, less, STEEP, 1)]);
    const part = ops.mul(rest, equal);
    parts.push(part);
    rest = ops.add(read(ops, part, -1), rest);
  }
  parts.push(rest);

  // A pixel sums what the places give that reach it.
  const blocks = sizes.map((size) => Math.ceil(size / stride));
  const phases = offsetsOf(stride).map((own) => {
    const steps = places.map((offsets) => offsets.map((offset, i) => (own[i]! - offset) / stride));
    const reaching = parts.flatMap((part, k) =>
      steps[k]!.every(Number.isInteger)
        ? [read(ops, part, 1, { offsets: steps[k]!, stride: 1, counts: blocks })]
        : [],
    );
    return reaching.reduce(ops.add);
  });
  return stride === 1 ? phases[0]! : { stride, phases, whole: image };
}

/** Reads elements of images, times a weight; they stay as they are where nothing changes. */
function read(ops: Ops, image: Value, weight: number, reading?: Reading): Value {
  const still =
    reading === undefined ||
    (reading.stride === 1 &&
      reading.offsets.every((offset, i) => offset === 0 && reading.counts[i] === image.dims[i + 2]));
  return still && weight === 1 ? image : scaled(ops, image, weight, 0, still ? undefined : reading);
}

const numbers = (dims: readonly Dim[]): number[] | undefined => {
  const known = dims.filter((dim) => typeof dim === 'number');
  return known.length === dims.length ? known : undefined;
};
