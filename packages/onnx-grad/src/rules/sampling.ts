import { fail } from '@gauntlet/onnx';

import type { Expansion, Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { elements, fixed, shown } from '../value.js';

/** One element of an axis that a sample reads, [N, 1, samples] each: where it is (int64), and how much it counts. */
export interface Tap {
  readonly at: Value;
  readonly weight: Value | undefined;
}

/** A position beyond a range comes back from its ends, as if they were mirrors. */
function reflected({ ops }: Site, x: Value, low: number, high: number): Value {
  const range = high - low;
  if (range === 0) return ops.mul(x, 0);
  const walked = ops.emit('Mod', [ops.abs(ops.sub(x, low)), ops.scalar(2 * range, x.dtype)], { fmod: 1 });
  return ops.add(ops.min(walked, ops.sub(2 * range, walked)), low);
}

const clipped = ({ ops }: Site, x: Value, high: number): Value =>
  ops.emit('Clip', [x, ops.scalar(0, x.dtype), ops.scalar(high, x.dtype)]);

/** Keys' cubic convolution with a = -0.75, for a position t between the second and the third of four elements. */
function cubic({ ops: { add, sub, mul } }: Site, t: Value): Value[] {
  const a = -0.75;
  const near = (d: Value) => add(mul(mul(mul(d, d), sub(mul(d, a + 2), a + 3)), 1), 1);
  const far = (d: Value) => sub(mul(add(mul(sub(mul(d, a), 5 * a), d), 8 * a), d), 4 * a);
  const rest = sub(1, t);
  return [far(add(t, 1)), near(t), near(rest), far(add(rest, 1))];
}

/** An element of an axis of the given size; beyond its ends are zeros. */
export function tapAt(site: Site, place: Value, weight: Value | undefined, size: number): Tap {
  const { mul, cast, and, greaterOrEqual, lessOrEqual } = site.ops;
  const valid = cast(and(greaterOrEqual(place, 0), lessOrEqual(place, size - 1)), place.dtype);
  return {
    at: cast(clipped(site, place, size - 1), 'int64'),
    weight: weight === undefined ? valid : mul(weight, valid),
  };
}

/** The elements of an axis of the given size that each sample reads. position: normalised to -1 .. 1. */
function tapsAlong(site: Site, position: Value, size: number): Tap[] {
  const { attr, ops, refuse } = site;
  const { add, sub, mul, where, or, less, greater, cast } = ops;
  const corners = attr.int('align_corners', 0) !== 0;
  const [low, high] = corners ? [0, size - 1] : [-0.5, size - 0.5];
  const padding = attr.string('padding_mode', 'zeros');
  const mode = attr.string('mode', 'linear').replace(/^bi/, '');
  const scaled = corners ? mul(add(position, 1), (size - 1) / 2) : sub(mul(add(position, 1), size / 2), 0.5);
  const rounded = mode === 'nearest' ? ops.emit('Round', [scaled]) : scaled;
  const bring = (x: Value) => {
    if (padding === 'zeros') return x;
    const moved = padding === 'border' ? clipped(site, x, size - 1) : reflected(site, x, low, high);
    return where(or(less(x, low), greater(x, high)), moved, x);
  };
  const at = bring(rounded);
  const base = mode === 'nearest' ? at : ops.emit('Floor', [at]);
  const t = () => sub(at, base);
  const weights = {
    nearest: () => [undefined],
    linear: () => [sub(1, t()), t()],
    cubic: () => cubic(site, t()),
  };
  if (!Object.hasOwn(weights, mode)) refuse(`mode "${mode}"`);
  return weights[mode as keyof typeof weights]().map((weight, k) => {
    const place = add(base, mode === 'cubic' ? k - 1 : k);
    if (padding === 'zeros') return tapAt(site, place, weight, size);
    const inside = padding === 'reflection' ? reflected(site, place, low, high) : place;
    return { at: cast(clipped(site, inside, size - 1), 'int64'), weight };
  });
}

/** What samples read of images [N, channels, elements] with axes of given sizes: [N, channels, samples]. */
export function sampled(
  { ops }: Site,
  flat: Value,
  channels: number,
  sizes: readonly number[],
  taps: readonly (readonly Tap[])[],
): Value {
  // Every element that a sample reads: one tap for each axis.
  const all = taps.reduce<readonly Tap[]>(
    (made, along, axis) =>
      made.flatMap((one) =>
        along.map((tap) => ({
          at: ops.add(ops.emit('Mul', [one.at, ops.int(sizes[axis]!)]), tap.at),
          weight: one.weight && tap.weight ? ops.mul(one.weight, tap.weight) : (one.weight ?? tap.weight),
        })),
      ),
    [{ at: ops.int(0), weight: undefined }],
  );
  const parts = all.map(({ at, weight }) => {
    const everywhere = ops.emit('Expand', [at, ops.ints([1, channels, 1])]);
    const picked = ops.emit('GatherElements', [flat, everywhere], { axis: 2 });
    return weight === undefined ? picked : ops.mul(picked, weight);
  });
  return ops.total(parts);
}

/** Samples of images [N, C, ...sizes] at the positions of a grid [N, ...samples, axes], written out as sums of picked elements. */
const gridSample: Expansion = (site) => {
  const { x, ops, path } = site;
  const [image, grid] = [x(0), x(1)];
  const sizes = image.dims.slice(2).map((size) => fixed(size, path));
  if (sizes.length === 0 || grid.dims.length !== image.dims.length || grid.dims.at(-1) !== sizes.length) {
    fail(
      'bad-shape',
      `Unexpected grid of shape ${shown(grid.dims)} for images ${shown(image.dims)} at ${path}, expected a position per sample. Export the model again.`,
    );
  }
  const channels = fixed(image.dims[1]!, path);
  const flat = ops.reshapeTo(image, [0, 0, sizes.reduce((product, size) => product * size, 1)]);
  // Positions are written last axis first: x, y, z.
  const taps = sizes.map((size, axis) => {
    const column = sizes.length - 1 - axis;
    const position = ops.slice(grid, grid.dims.length - 1, column, column + 1);
    return tapsAlong(site, ops.reshapeTo(position, [0, 1, -1]), size);
  });
  const total = sampled(site, flat, channels, sizes, taps);
  return [ops.reshapeTo(total, [0, 0, ...grid.dims.slice(1, -1).map((size) => fixed(size, path))])];
};

/** Each position is a product of theta [N, axes, axes + 1] with its homogeneous coordinates. */
const affineGrid: Rule = ({ x, g, attr, path, ops }) => [
  () => {
    const sizes = g.dims.slice(1, -1).map((size) => fixed(size, path));
    const count = elements([...sizes, sizes.length + 1], path) / (sizes.length + 1);
    const corners = attr.int('align_corners', 0) !== 0;
    const coordinates = new Float32Array(count * (sizes.length + 1)).fill(1);
    const steps = sizes.map((_, axis) => sizes.slice(axis + 1).reduce((product, size) => product * size, 1));
    for (let i = 0; i < count; i++) {
      for (const [axis, size] of sizes.entries()) {
        const k = Math.floor(i / steps[axis]!) % size;
        const at = corners ? (size === 1 ? 0 : (2 * k) / (size - 1) - 1) : (2 * k + 1) / size - 1;
        coordinates[i * (sizes.length + 1) + sizes.length - 1 - axis] = at;
      }
    }
    const dims = [count, sizes.length + 1];
    const base = ops.cast(ops.constant({ dtype: 'float32', dims, data: coordinates }), g.dtype);
    // [N, ...sizes, axes] -> [N, axes, samples], times [samples, axes + 1]
    const lines = ops.transpose(ops.reshapeTo(g, [0, count, sizes.length]), [0, 2, 1]);
    return { ...ops.matMul(lines, base), dims: x(0).dims };
  },
];

/** Sampling at computed positions, as expansions. */
export const samplings: Readonly<Record<string, Expansion>> = { GridSample: gridSample };

/** Positions for it. */
export const grids: Rules = { AffineGrid: affineGrid };
