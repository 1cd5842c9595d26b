import { fail } from '@gauntlet/onnx';

import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { axesOf, elements, fixed } from '../value.js';

/** One axis of a Resize: out[i] = sum_j weights[i][j] in[j]. */
interface Axis {
  readonly input: number;
  readonly output: number;
  readonly scale: number;
  readonly start: number;
  readonly end: number;
}

const fround = Math.fround;

/** Where an output position lies on the input, computed in float32 as runtimes do. */
const COORDINATES: Readonly<Record<string, (at: number, axis: Axis) => number>> = {
  half_pixel: (at, { scale }) => fround(fround(at + 0.5) / scale) - 0.5,
  half_pixel_symmetric: (at, { scale, input, output }) => {
    const adjustment = output / fround(scale * input);
    return (input / 2) * (1 - adjustment) + fround(at + 0.5) / scale - 0.5;
  },
  pytorch_half_pixel: (at, { scale, output }) => (output > 1 ? fround(fround(at + 0.5) / scale) - 0.5 : 0),
  tf_half_pixel_for_nn: (at, { scale }) => fround(fround(at + 0.5) / scale),
  asymmetric: (at, { scale }) => fround(at / scale),
  align_corners: (at, { input, output }) => (output === 1 ? 0 : fround((at * (input - 1)) / (output - 1))),
  tf_crop_and_resize: (at, { start, end, input, output }) =>
    output > 1
      ? fround(start * (input - 1) + (at * fround(end - start) * (input - 1)) / (output - 1))
      : fround(0.5 * (start + end) * (input - 1)),
};

const NEAREST: Readonly<Record<string, (at: number) => number>> = {
  round_prefer_floor: (at) => (at - Math.floor(at) === 0.5 ? Math.floor(at) : Math.round(at)),
  round_prefer_ceil: (at) => Math.round(at),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** How much an element counts by its distance; nothing beyond the radius. */
interface Kernel {
  readonly radius: number;
  weight(distance: number): number;
}

const LINEAR: Kernel = { radius: 1, weight: (distance) => Math.max(0, 1 - distance) };

/** Keys' cubic convolution with coefficient a. */
const cubic = (a: number): Kernel => ({
  radius: 2,
  weight: (d) =>
    d < 1 ? (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1 : d < 2 ? a * (d ** 3 - 5 * d ** 2 + 8 * d - 4) : 0,
});

/** The input positions that an output position reads and their weights; a kernel that is stretched reads more of them. */
function taps(at: number, { radius, weight }: Kernel, stretch: number): (readonly [number, number])[] {
  const [low, high] = [Math.floor(at + 1 - radius * stretch), Math.floor(at + 1 + radius * stretch)];
  return Array.from({ length: high - low }, (_, i) => [low + i, weight(Math.abs(low + i - at) / stretch)]);
}

/** The weights of one axis as a matrix [output, input]. */
function weightsOf({ attr, path, refuse }: Site, axis: Axis): Float32Array {
  const mode = attr.string('mode', 'nearest');
  const kind = attr.string('coordinate_transformation_mode', 'half_pixel');
  const coordinate = COORDINATES[kind] ?? refuse(`coordinate_transformation_mode "${kind}"`);
  const rounding = attr.string('nearest_mode', 'round_prefer_floor');
  const nearest = NEAREST[rounding] ?? refuse(`nearest_mode "${rounding}"`);
  const exclude = attr.int('exclude_outside', 0) !== 0;
  const smooth = attr.int('antialias', 0) !== 0;
  const kernel = mode === 'linear' ? LINEAR : cubic(attr.float('cubic_coeff_a', -0.75));
  const { input, output, scale } = axis;
  const stretch = smooth ? Math.max(1, 1 / scale) : 1;
  elements([output, Math.ceil(2 * kernel.radius * stretch)], path);
  const inside = (at: number) => Math.min(Math.max(at, 0), input - 1);
  const weights = new Float32Array(elements([output, input], path));
  for (let i = 0; i < output; i++) {
    const at = coordinate(i, axis);
    // Outside the crop the result is a constant.
    if (kind === 'tf_crop_and_resize' && (at < 0 || at > input - 1)) continue;
    if (mode === 'nearest') weights[i * input + inside(nearest(at))] = 1;
    else {
      const all = taps(at, kernel, stretch);
      const used =
        exclude && (smooth || mode === 'cubic') ? all.filter(([place]) => place === inside(place)) : all;
      const total = used.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [place, weight] of used) weights[i * input + inside(place)]! += weight / total;
    }
  }
  return weights;
}

/** Every mode is a product with a small matrix along each axis; the gradient is the product with its transpose. */
const resize: Rule = (site) => [
  () => {
    const { x, y, g, attr, path, constant, has, ops } = site;
    if (g.dims.includes(0)) return ops.full(x(0), 0);
    const rank = x(0).dims.length;
    const axes = axesOf(attr.ints('axes', [...Array(rank).keys()]), rank, path);
    const scales = has(2) ? constant(2)! : [];
    const roi = has(1) ? constant(1)! : [];
    if (scales.length !== 0 && scales.length !== axes.length) {
      fail(
        'bad-attribute',
        `Unexpected ${scales.length} scales at ${path}, expected ${axes.length}. Export the model again.`,
      );
    }
    const common = commonScale(site, axes);
    return axes.reduceRight<Value>((value, axis, i) => {
      const [input, output] = [x(0).dims[axis]!, y().dims[axis]!];
      const given = common ?? scales[i];
      const crop = attr.string('coordinate_transformation_mode', '') === 'tf_crop_and_resize';
      if (input === output && (given ?? 1) === 1 && !crop) return value;
      const sizes = { input: fixed(input, path), output: fixed(output, path) };
      const scale = fround(given ?? sizes.output / sizes.input);
      const weights = weightsOf(site, {
        ...sizes,
        scale,
        start: roi[i] ?? 0,
        end: roi[i + axes.length] ?? 1,
      });
      return alongAxis(site, value, axis, weights, sizes);
    }, g);
  },
];

/** The one scale of all axes, where sizes are given and their ratio is kept. */
function commonScale({ x, attr, path, constant, has, refuse }: Site, axes: readonly number[]) {
  const policy = attr.string('keep_aspect_ratio_policy', 'stretch');
  if (policy === 'stretch' || !has(3)) return undefined;
  const scales = constant(3)!.map((size, i) => size / fixed(x(0).dims[axes[i] ?? -1] ?? 0, path));
  if (policy === 'not_larger') return Math.min(...scales);
  return policy === 'not_smaller' ? Math.max(...scales) : refuse(`keep_aspect_ratio_policy "${policy}"`);
}

/** [..., output, ...] -> [..., input, ...] by the transposed weights [output, input]. */
function alongAxis(
  { ops }: Site,
  g: Value,
  axis: number,
  weights: Float32Array,
  { input, output }: { input: number; output: number },
): Value {
  const matrix = ops.cast(ops.constant({ dtype: 'float32', dims: [output, input], data: weights }), g.dtype);
  if (axis === g.dims.length - 1) return ops.matMul(g, matrix);
  const turned = ops.transpose(matrix, [1, 0]);
  if (axis === g.dims.length - 2) return ops.matMul(turned, g);
  const order = [...g.dims.keys()].filter((i) => i !== axis);
  const last = ops.matMul(ops.transpose(g, [...order, axis]), matrix);
  return ops.transpose(
    last,
    [...g.dims.keys()].map((i) => [...order, axis].indexOf(i)),
  );
}

/** Resampling. */
export const resamplings: Rules = { Resize: resize };
