import { fail } from '@gauntlet/onnx';

import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { fixed } from '../value.js';
import type { Window } from './window.js';
import { spread, windowOf } from './window.js';

const conv: Rule = (site) => {
  const { x, g, attr, path, ops } = site;
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
    () => spread(site, g, weights, window, group, x(0)),
    () => weightGradient(site, window, group),
    () =>
      ops.sum(
        g,
        [...g.dims.keys()].filter((axis) => axis !== 1),
        false,
      ),
  ];
};

/**
 * The gradient of the weights is itself a convolution: samples become channels, channels become samples, strides and dilations
 * change places. With G groups: x [N, G C, ...] -> [C, G N, ...], g [N, G O, ...] -> [G O, N, ...]; result [C, G O, ...kernel].
 */
function weightGradient(site: Site, window: Window, group: number): Value {
  const { x, g, ops } = site;
  const weights = x(1);
  const { kernel, strides, dilations, begins, ends } = window;
  const rank = kernel.length;
  const spatial = Array.from({ length: rank }, (_, i) => i + 2);
  const images = group === 1 ? ops.transpose(x(0), [1, 0, ...spatial]) : byGroup(site, x(0), group);
  const windows = ops.transpose(g, [1, 0, ...spatial]);
  const sizes = kernel.map((size) => size);
  const found = ops.emit(
    'Conv',
    [images, windows],
    { group, strides: dilations, dilations: strides, pads: [...begins, ...ends] },
    { dtype: g.dtype, dims: [weights.dims[1]!, weights.dims[0]!, ...sizes] },
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

/** Convolutions. */
export const convolutions: Rules = { Conv: conv };
