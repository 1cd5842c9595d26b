import type { Dim } from '@gauntlet/onnx';

import type { Site } from '../rule.js';
import type { Phases, Value } from '../value.js';
import { elements } from '../value.js';
import { BLOCK, range } from './phases.js';
import { windowOf } from './window.js';

/** As steep as differences of activations may be multiplied without overflowing. A power of two: exact. */
const STEEP = 2 ** 80;

/** Beyond so many places a window costs more by its places than by its indices. */
const MOST_PLACES = 9;

/**
 * The gradient of a MaxPool without its indices, which ONNX Runtime computes slowly and outside its blocked layout. Place k of every
 * window is read by a strided convolution; u_k = tanh(steep * (y - x_k)) is 0 where the place holds the largest element and 1 where
 * it does not. What is left for places k and later is r_k = g u_0 .. u_(k-1), so that the first of equal elements gets all.
 *
 * @param positive whether nothing arrives at windows whose largest element is 0 or less. Then places in the padding, which are read as 0, win nothing.
 * @returns undefined where windows are large, leave gaps or hang over the edge, or where shapes are not known.
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
  if (!tiles && channels % BLOCK !== 0) return undefined;
  const ends = kernel.map((size, i) => (counts[i]! - 1) * stride + size - begins[i]! - sizes[i]!);
  if (!positive && [...begins, ...ends].some((overhang) => overhang > 0)) return undefined;

  const read = readerOf(ops, channels);
  // Of every window, how far each place lies from the window's first pixel that is no padding.
  const places = range(kernel[0]!).flatMap((h) =>
    range(kernel[1]!).map((w) => [h - begins[0]!, w - begins[1]!]),
  );
  const largest = read(y(), STEEP);
  const parts: Value[] = [];
  let rest = g;
  for (const offsets of places.slice(0, -1)) {
    const smaller = ops.tanh(ops.add(read(image, -STEEP, { offsets, stride, counts }), largest));
    const left = ops.mul(rest, smaller);
    parts.push(ops.add(read(left, -1), rest));
    rest = left;
  }
  parts.push(rest);

  // A pixel sums what the places give that reach it.
  const blocks = sizes.map((size) => Math.ceil(size / stride));
  const phases = range(stride * stride).map((phase) => {
    const own = [Math.floor(phase / stride), phase % stride];
    const steps = places.map((offsets) => offsets.map((offset, i) => (own[i]! - offset) / stride));
    const reaching = parts.flatMap((part, k) =>
      steps[k]!.every(Number.isInteger)
        ? [read(part, 1, { offsets: steps[k]!, stride: 1, counts: blocks })]
        : [],
    );
    return reaching.reduce(ops.add);
  });
  return stride === 1 ? phases[0]! : { stride, phases, whole: image };
}

/** Which elements are read along height and width: q reads stride q + offset, for q below the count. What lies outside is 0. */
interface Reading {
  readonly offsets: readonly number[];
  readonly stride: number;
  readonly counts: readonly number[];
}

/** Reads elements of images, times a weight, by a depthwise convolution with a single tap: it stays in the blocked layout. */
const readerOf =
  ({ emit, constant }: Site['ops'], channels: number) =>
  (image: Value, weight: number, reading?: Reading): Value => {
    const sizes = image.dims.slice(2) as number[];
    const { offsets, stride, counts } = reading ?? { offsets: [0, 0], stride: 1, counts: sizes };
    const still = stride === 1 && offsets.every((offset, i) => offset === 0 && counts[i] === sizes[i]);
    if (still && weight === 1) return image;
    const before = offsets.map((offset) => Math.max(0, -offset));
    const taps = offsets.map((offset) => Math.max(0, offset));
    const after = counts.map((count, i) => (count - 1) * stride + taps[i]! + 1 - before[i]! - sizes[i]!);
    // A kernel that is larger than its tap leaves out the last elements.
    const edges = taps.map((tap, i) => tap + 1 + Math.max(0, -after[i]!));
    const [tap, area] = [taps[0]! * edges[1]! + taps[1]!, edges[0]! * edges[1]!];
    const dims = [channels, 1, ...edges];
    const weights = new Float32Array(elements(dims, `"${image.name}"`)).map((_, at) =>
      at % area === tap ? weight : 0,
    );
    return emit(
      'Conv',
      [image, constant({ dtype: 'float32', dims, data: weights })],
      {
        group: channels,
        kernel_shape: edges,
        strides: [stride, stride],
        pads: [...before, ...after.map((amount) => Math.max(0, amount))],
      },
      { dtype: 'float32', dims: [...image.dims.slice(0, 2), ...counts] },
    );
  };

const numbers = (dims: readonly Dim[]): number[] | undefined => {
  const known = dims.filter((dim) => typeof dim === 'number');
  return known.length === dims.length ? known : undefined;
};
