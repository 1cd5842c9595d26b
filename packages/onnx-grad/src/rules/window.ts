import { fail } from '@gauntlet/onnx';

import type { Site } from '../rule.js';
import type { Value } from '../value.js';
import { fixed } from '../value.js';

/** How a window slides over the spatial axes of an input: the geometry that convolutions and pools share. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/**
 * Reads kernel_shape, strides, dilations, pads and auto_pad of a node; the padding only if `padded`. Throws `bad-attribute` on wrong lengths and values,
 * `bad-shape` on an input without spatial axes.
 */
export function windowOf(site: Site, kernelShape?: readonly number[], padded = true): Window {
  const { attr, path, x } = site;
  const rank = x(0).dims.length - 2;
  if (rank < 1)
    fail('bad-shape', `Unexpected rank ${rank + 2} at ${path}, expected at least 3. Export the model again.`);
  const list = (name: string, length: number, least: number, fallback: readonly number[]) => {
    const values = attr.ints(name, undefined) ?? [...fallback];
    if (values.length === length && values.every((value) => value >= least && value <= 2 ** 20))
      return values;
    return fail(
      'bad-attribute',
      `Unexpected [${values}] at attribute "${name}" of ${path}, expected ${length} integers of at least ${least}. Export the model again.`,
    );
  };
  const ones = Array.from({ length: rank }, () => 1);
  const kernel = kernelShape ?? list('kernel_shape', rank, 1, []);
  if (kernel.length !== rank) {
    fail(
      'bad-shape',
      `Unexpected kernel of rank ${kernel.length} at ${path}, expected ${rank}. Export the model again.`,
    );
  }
  const strides = list('strides', rank, 1, ones);
  const dilations = list('dilations', rank, 1, ones);
  const auto = padded ? attr.string('auto_pad', 'NOTSET') : 'VALID';
  if (auto !== 'SAME_UPPER' && auto !== 'SAME_LOWER') {
    const pads =
      auto === 'VALID'
        ? Array.from({ length: 2 * rank }, () => 0)
        : list('pads', 2 * rank, 0, [...ones, ...ones].fill(0));
    return { kernel, strides, dilations, begins: pads.slice(0, rank), ends: pads.slice(rank) };
  }
  const totals = kernel.map((size, i) => {
    const [stride, reach] = [strides[i]!, (size - 1) * dilations[i]! + 1];
    const length = x(0).dims[i + 2]!;
    // With stride 1 the padding does not depend on the size.
    if (stride === 1) return reach - 1;
    const known = fixed(length, path);
    return Math.max(0, (Math.ceil(known / stride) - 1) * stride + reach - known);
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total, i) => total - small[i]!);
  return auto === 'SAME_UPPER'
    ? { kernel, strides, dilations, begins: small, ends: large }
    : { kernel, strides, dilations, begins: large, ends: small };
}

/**
 * The transpose of a sliding window: a ConvTranspose that spreads g over the sizes of `like`.
 * weights: [channels of g, channels of the result / group, ...kernel].
 */
export function spread(
  site: Site,
  g: Value,
  weights: Value,
  window: Window,
  group: number,
  like: Value,
): Value {
  const { ops, path } = site;
  const { kernel, strides, dilations, begins, ends } = window;
  // Elements of the input beyond what the last window covers; negative where the window hangs over the padding.
  const rest = kernel.map((size, i) => {
    if (strides[i] === 1 && typeof like.dims[i + 2] === 'string') return 0;
    const windows = fixed(g.dims[i + 2]!, path);
    const covered = (windows - 1) * strides[i]! + (size - 1) * dilations[i]! + 1 - begins[i]! - ends[i]!;
    return fixed(like.dims[i + 2]!, path) - covered;
  });
  const cropped = ends.map((end, i) => end + Math.max(0, -rest[i]!));
  const inside = rest.map((extra, i) => Math.min(Math.max(0, extra), strides[i]! - 1));
  const outside = rest.map((extra, i) => Math.max(0, extra - inside[i]!));
  const shape = (more: readonly number[]) =>
    like.dims.map((dim, i) => (i < 2 || typeof dim === 'string' ? dim : dim - more[i - 2]!));
  const result = ops.emit(
    'ConvTranspose',
    [g, weights],
    {
      kernel_shape: kernel,
      strides,
      dilations,
      group,
      pads: [...begins, ...cropped],
      output_padding: inside,
    },
    { dtype: g.dtype, dims: shape(outside) },
  );
  if (outside.every((extra) => extra === 0)) return result;
  const pads = [...like.dims.map(() => 0), 0, 0, ...outside];
  return ops.emit('Pad', [result, ops.ints(pads)], {}, { dtype: g.dtype, dims: shape(outside.map(() => 0)) });
}

/** Repeats the elements of images along their height and width, in ONNX Runtime's blocked layout if they are in it. */
export function repeated({ emit, constant }: Site['ops'], x: Value, times: readonly number[]): Value {
  const scales = constant({ dtype: 'float32', dims: [4], data: Float32Array.of(1, 1, ...times) });
  const attributes = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  const dims = x.dims.map((size, i) => (i < 2 ? size : Number(size) * times[i - 2]!));
  return emit('Resize', [x, undefined, scales], attributes, { dtype: x.dtype, dims });
}
