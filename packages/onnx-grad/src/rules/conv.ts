import { fail } from '@gauntlet/onnx';

import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { elements, fixed } from '../value.js';
import { inputGradient } from './conv-lowering.js';
import type { Window } from './window.js';
import { windowOf } from './window.js';

/** A convolution. */
export const conv: Rule = (site) => {
  const { x, attr, path, ops } = site;
  const weights = x(1);
  const group = attr.int('group', 1);
  for (const size of [x(0).dims[1], weights.dims[0]]) {
    if (group >= 1 && (typeof size !== 'number' || size % group === 0)) continue;
    fail(
      'bad-attribute',
      `Unexpected ${group} at attribute "group" of ${path}, expected a divisor of ${size}. Export the model again.`,
    );
  }
  const window = windowOf(
    site,
    weights.dims.slice(2).map((size) => fixed(size, path)),
  );
  return [
    () => inputGradient({ site, window, group }),
    () => weightGradient(site, x(0), site.g, window, group),
    () =>
      ops.sum(
        site.g,
        [...site.g.dims.keys()].filter((axis) => axis !== 1),
        false,
      ),
  ];
};

/**
 * The gradient of the weights is itself a convolution: samples become channels, channels become samples, strides and dilations
 * change places. With G groups: images [N, G C, ...] -> [C, G N, ...], windows [N, G O, ...] -> [G O, N, ...]; result [C, G O, ...kernel].
 */
function weightGradient(site: Site, images: Value, windows: Value, window: Window, group: number): Value {
  const { ops } = site;
  const { kernel, strides, dilations, begins, ends } = window;
  const spatial = kernel.map((_, i) => i + 2);
  const turned = group === 1 ? ops.transpose(images, [1, 0, ...spatial]) : byGroup(site, images, group);
  const dims = site.x(1).dims;
  const found = ops.emit(
    'Conv',
    [turned, ops.transpose(windows, [1, 0, ...spatial])],
    { group, strides: dilations, dilations: strides, pads: [...begins, ...ends] },
    { dtype: images.dtype, dims: [dims[1]!, dims[0]!, ...kernel] },
  );
  // Where the stride leaves a remainder, the result is longer than the kernel.
  const cropped = spatial.reduce((value, axis, i) => ops.slice(value, axis, 0, kernel[i]!), found);
  return ops.transpose(cropped, [1, 0, ...spatial]);
}

/** [N, G C, ...] -> [C, G N, ...] */
function byGroup({ ops, path }: Site, x: Value, group: number): Value {
  const sizes = x.dims.slice(2).map((size) => fixed(size, path));
  const each = fixed(x.dims[1]!, path) / group;
  const split = ops.emit(
    'Reshape',
    [x, ops.ints([-1, group, each, ...sizes])],
    {},
    {
      dtype: x.dtype,
      dims: [x.dims[0]!, group, each, ...sizes],
    },
  );
  const turned = ops.transpose(split, [2, 1, 0, ...sizes.map((_, i) => i + 3)]);
  return ops.emit(
    'Reshape',
    [turned, ops.ints([each, -1, ...sizes])],
    {},
    {
      dtype: x.dtype,
      dims: [each, `${group}*${x.dims[0]}`, ...sizes],
    },
  );
}

/** A transposed convolution passes gradients back as the convolution it transposes. */
const convTranspose: Rule = (site) => {
  const { x, y, g, attr, path, ops } = site;
  const weights = x(1);
  const group = attr.int('group', 1);
  const kernel = weights.dims.slice(2).map((size) => fixed(size, path));
  const window = transposedWindow(site, kernel);
  const { strides, dilations, begins, ends } = window;
  return [
    () => {
      const attributes = { kernel_shape: kernel, strides, dilations, group, pads: [...begins, ...ends] };
      return ops.emit('Conv', [g, weights], attributes, { dtype: g.dtype, dims: x(0).dims });
    },
    () => weightGradient(site, g, x(0), window, group),
    () =>
      ops.sum(
        g,
        [...y().dims.keys()].filter((axis) => axis !== 1),
        false,
      ),
  ];
};

/** The window of a ConvTranspose: auto_pad and output_shape set the padding from the size of the output. */
function transposedWindow(site: Site, kernel: readonly number[]): Window {
  const { attr, x, y, path } = site;
  const auto = attr.string('auto_pad', 'NOTSET');
  const named = auto === 'SAME_UPPER' || auto === 'SAME_LOWER';
  const window = windowOf(site, kernel, !named && !attr.has('output_shape'));
  if (!named && !attr.has('output_shape')) return window;
  const more = attr.ints('output_padding', []);
  const totals = kernel.map((size, i) => {
    const [input, output] = [fixed(x(0).dims[i + 2]!, path), fixed(y().dims[i + 2]!, path)];
    const reach = (size - 1) * window.dilations[i]! + 1;
    return Math.max(0, window.strides[i]! * (input - 1) + (more[i] ?? 0) + reach - output);
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total, i) => total - small[i]!);
  return auto === 'SAME_UPPER'
    ? { ...window, begins: small, ends: large }
    : { ...window, begins: large, ends: small };
}

/** Columns of blocks are put at their places and added: back come the blocks of each channel, read by a convolution with one weight per place. */
const col2Im: Rule = (site) => [
  () => {
    const { x, g, constant, attr, path, ops } = site;
    const block = constant(2) ?? [];
    const places = elements(block, path);
    const one = new Float32Array(elements([places, places], path)).map((_, at) =>
      at % (places + 1) === 0 ? 1 : 0,
    );
    const weights = ops.constant({ dtype: 'float32', dims: [places, 1, ...block], data: one });
    const list = (name: string, fallback: number) =>
      attr.ints(
        name,
        block.map(() => fallback),
      );
    const window = {
      strides: list('strides', 1),
      dilations: list('dilations', 1),
      pads: attr.ints(
        'pads',
        block.flatMap(() => [0, 0]),
      ),
    };
    // [N, C, ...image] -> [N C, 1, ...image] -> [N C, places, ...blocks] -> [N, C places, blocks]
    const images = ops.reshapeTo(g, [-1, 1, ...g.dims.slice(2).map((size) => fixed(size, path))]);
    const type = { dtype: g.dtype, dims: ['images', places, ...block.map((_, i) => `blocks${i}`)] };
    return ops.reshape(ops.emit('Conv', [images, ops.cast(weights, g.dtype)], window, type), x(0));
  },
];

/** Convolutions. */
export const convolutions: Rules = { Conv: conv, ConvTranspose: convTranspose, Col2Im: col2Im };
