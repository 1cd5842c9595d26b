import type { Dim } from '@gauntlet/onnx';

import type { Expansion, Site } from '../rule.js';
import type { Value } from '../value.js';
import { elements, fixed, product } from '../value.js';
import type { Tap } from './sampling.js';
import { sampled, tapAt } from './sampling.js';
import { windowOf } from './window.js';

/** The two elements of an axis on either side of a position, each by how near it is. */
function sides(site: Site, position: Value, size: number): Tap[] {
  const { ops } = site;
  const base = ops.emit('Floor', [position]);
  const t = ops.sub(position, base);
  return [tapAt(site, base, ops.sub(1, t), size), tapAt(site, ops.add(base, 1), t, size)];
}

/**
 * A convolution whose window reads each of its K places away from where it is, by an offset of its own, between elements: images are sampled there, and samples
 * are multiplied by the weights. Images [N, C, H, W], weights [O, C / group, ...kernel], offsets [N, G K 2, L] and masks [N, G K, L] over L outputs; G groups of channels
 * share offsets. Dai et al. 2017, Zhu et al. 2019 (masks).
 */
const deformConv: Expansion = (site) => {
  const { x, y, has, attr, path, ops, refuse } = site;
  const [image, weights] = [x(0), x(1)];
  if (image.dims.length !== 4) refuse(`${image.dims.length} axes`);
  const [channels, ...sizes] = image.dims.slice(1).map((size) => fixed(size, path)) as [
    number,
    number,
    number,
  ];
  const [filters, ...kernel] = [0, 2, 3].map((axis) => fixed(weights.dims[axis]!, path)) as [
    number,
    number,
    number,
  ];
  const outputs = y()
    .dims.slice(2)
    .map((size) => fixed(size, path)) as [number, number];
  const [group, shared] = [attr.int('group', 1), attr.int('offset_group', 1)];
  const { strides, dilations, begins } = windowOf(site, kernel);
  const [places, count] = [elements(kernel, path), elements(outputs, path)];
  const samples = elements([places, count], path);
  /** Reshapes to [first, ...rest]. */
  const shaped = (value: Value, first: Dim, rest: readonly number[]): Value =>
    ops.emit('Reshape', [value, ops.ints([-1, ...rest])], {}, { dtype: value.dtype, dims: [first, ...rest] });
  const [batch] = image.dims as [Dim];
  const parts = product([batch, shared]);

  // [N G, K, 2, L]
  const offsets = shaped(x(2), parts, [places, 2, count]);
  const taps = sizes.map((size, axis) => {
    // Places are counted through the kernel, then through the outputs, row by row.
    const along = (at: number, [, columns]: readonly number[]) =>
      axis === 0 ? Math.floor(at / columns!) : at % columns!;
    const starts = Float32Array.from(
      { length: samples },
      (_, i) =>
        along(i % count, outputs) * strides[axis]! -
        begins[axis]! +
        along(Math.floor(i / count), kernel) * dilations[axis]!,
    );
    const start = ops.cast(
      ops.constant({ dtype: 'float32', dims: [1, 1, samples], data: starts }),
      image.dtype,
    );
    const offset = shaped(ops.slice(offsets, 2, axis, axis + 1), parts, [1, samples]);
    return sides(site, ops.add(offset, start), size);
  });
  const each = channels / shared;
  const read = sampled(site, shaped(image, parts, [each, elements(sizes, path)]), each, sizes, taps);
  const masked = has(4) ? ops.mul(read, shaped(x(4), parts, [1, samples])) : read;
  const columns = shaped(masked, batch, [group, (channels / group) * places, count]);
  const matrix = ops.reshapeTo(weights, [group, filters / group, (channels / group) * places]);
  const result = shaped(ops.matMul(matrix, columns), batch, [filters, ...outputs]);
  return [has(3) ? ops.add(result, ops.reshapeTo(x(3), [1, filters, 1, 1])) : result];
};

/** Convolutions at computed positions, as expansions. */
export const deformations: Readonly<Record<string, Expansion>> = { DeformConv: deformConv };
