import type { Dim } from '@gauntlet/onnx';
import { fail } from '@gauntlet/onnx';

import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
import { elements, fixed, product } from '../value.js';
import { whenPositive } from './masks.js';
import { maxPoolByPlaces } from './pool-lowering.js';
import { countAlong } from './reduce.js';
import type { Window } from './window.js';
import { repeated, spread, windowOf } from './window.js';

/**
 * A Relu whose result only one MaxPool reads is masked after the pool, where the tensor is smaller: the largest element of a
 * window is positive just if its input was.
 */
export function maskedByPool({ reader, graph }: Site, name: string): boolean {
  const maker = graph.producer(name);
  return maker?.opType === 'Relu' && maker.domain === '' && reader(name)?.opType === 'MaxPool';
}

/** The gradient goes to the first largest element of each window. */
const maxPool: Rule = (site) => {
  const { node, g, x, y, ops, graph, attr, refuse } = site;
  return [
    () => {
      if (attr.int('storage_order', 0) !== 0 && node.output[1]) refuse('column-major indices');
      const masked = maskedByPool(site, node.input[0]!);
      const arriving = masked ? whenPositive(site, y(), g) : g;
      const found = maxPoolByPlaces(site, arriving, masked);
      if (found !== undefined) return found;
      const indices: Value = { name: graph.addOutput(node, 1), dtype: 'int64', dims: y().dims };
      // Indices count through the whole tensor, so the scatter works on one axis.
      const flat = ops.reshapeTo(ops.full(x(0), 0), [-1]);
      const added = ops.scatterAdd(
        'ScatterElements',
        flat,
        ops.reshapeTo(indices, [-1]),
        ops.reshapeTo(arriving, [-1]),
        0,
      );
      return ops.reshape(added, x(0));
    },
  ];
};

/** Every element of a window gets an equal share; those that hang over the edge have fewer to share with. */
const averagePool: Rule = (site) => {
  const { x, g, attr, path, ops } = site;
  return [
    () => {
      const window = windowOf(site);
      const channels = fixed(x(0).dims[1]!, path);
      const whole = window.kernel.reduce((total, size) => total * size, 1);
      const counts = window.kernel.map((_, axis) =>
        countsAlong(site, window, axis, attr.int('count_include_pad', 0) !== 0),
      );
      const even = counts.every((list, axis) => list.every((count) => count === window.kernel[axis]));
      const shared = even
        ? g
        : ops.div(g, counts.map((list, axis) => alongAxis(site, list, axis)).reduce(ops.mul));
      const weights = ops.constant({
        dtype: 'float32',
        dims: [channels, 1, ...window.kernel],
        data: new Float32Array(elements([channels, ...window.kernel], path)).fill(even ? 1 / whole : 1),
      });
      return spread(site, shared, ops.cast(weights, g.dtype), window, channels, x(0));
    },
  ];
};

/** How many elements each window averages along an axis. */
function countsAlong(site: Site, window: Window, axis: number, padded: boolean): number[] {
  const { x, g, path } = site;
  const [kernel, stride, dilation] = [window.kernel[axis]!, window.strides[axis]!, window.dilations[axis]!];
  const [begin, end] = [window.begins[axis]!, window.ends[axis]!];
  if (begin === 0 && end === 0 && typeof g.dims[axis + 2] === 'string') return [kernel];
  const size = fixed(x(0).dims[axis + 2]!, path);
  elements([fixed(g.dims[axis + 2]!, path), kernel], path);
  const [low, high] = padded ? [-begin, size + end] : [0, size];
  return Array.from({ length: fixed(g.dims[axis + 2]!, path) }, (_, i) => {
    const places = Array.from({ length: kernel }, (_, k) => i * stride - begin + k * dilation);
    return Math.max(1, places.filter((place) => place >= low && place < high).length);
  });
}

/** Numbers along a spatial axis, ready to broadcast against [N, C, ...spatial]. */
function alongAxis({ ops, g }: Site, numbers: readonly number[], axis: number): Value {
  const dims = g.dims.slice(2).map((_, i) => (i === axis ? numbers.length : 1));
  return ops.cast(ops.constant({ dtype: 'float32', dims, data: Float32Array.from(numbers) }), g.dtype);
}

const spatialAxes = (x: Value, path: string): number[] => {
  if (x.dims.length > 2) return [...x.dims.keys()].slice(2);
  return fail(
    'bad-shape',
    `Unexpected rank ${x.dims.length} at ${path}, expected at least 3. Export the model again.`,
  );
};

const globalAveragePool: Rule = (site) => [
  () => {
    const { x, g, ops, path, lowering } = site;
    const [image, axes] = [x(0), spatialAxes(x(0), path)];
    const sizes = image.dims.slice(1);
    const blocked = lowering === 'blocked' && g.dtype === 'float32' && axes.length === 2;
    if (!blocked || sizes.some((size) => typeof size === 'string')) {
      return ops.div(g, countAlong(ops, image, axes));
    }
    // Shared out by a depthwise convolution, repeated by a Resize: both keep the blocked layout.
    const [channels, height, width] = sizes as [number, number, number];
    const share = new Float32Array(elements([channels], path)).fill(1 / (height * width));
    const weights = ops.constant({ dtype: 'float32', dims: [channels, 1, 1, 1], data: share });
    const shared = ops.emit('Conv', [g, weights], { group: channels, kernel_shape: [1, 1] }, g);
    return repeated(ops, shared, [height, width]);
  },
];

/** The first largest element of each channel gets the gradient. */
const globalMaxPool: Rule = ({ x, g, path, ops }) => [
  () => {
    const image = x(0);
    spatialAxes(image, path);
    // [N, C, ...spatial] -> [N, C, elements]
    const count = product(image.dims.slice(2));
    const flat = (value: Value, size: Dim) =>
      ops.emit('Reshape', [value, ops.ints([0, 0, typeof size === 'number' ? size : -1])]);
    const rows = flat(image, count);
    const best = ops.emit('ArgMax', [rows], { axis: 2 });
    const spread = ops.emit('ScatterElements', [ops.full(rows, 0), best, flat(g, 1)], { axis: 2 });
    return ops.reshape(spread, image);
  },
];

/** y = (sum |x|^p)^(1/p): the slope is sign(x) (|x| / y)^(p - 1), and 0 where y is. */
const lpSlope = ({ ops }: Site, x: Value, p: number, perElement: Value): Value =>
  ops.mul(perElement, ops.mul(ops.sign(x), p === 1 ? 1 : ops.pow(ops.abs(x), p - 1)));

const lpShare = ({ ops, y, g, attr }: Site): Value => {
  const p = attr.int('p', 2);
  return p === 1 ? g : ops.where(ops.equal(y(), 0), 0, ops.div(g, ops.pow(y(), p - 1)));
};

const lpPool: Rule = (site) => [
  () => {
    const { x, attr, path, ops } = site;
    const window = windowOf(site);
    const channels = fixed(x(0).dims[1]!, path);
    const dims = [channels, 1, ...window.kernel];
    const ones = ops.constant({
      dtype: 'float32',
      dims,
      data: new Float32Array(elements(dims, path)).fill(1),
    });
    const shares = spread(site, lpShare(site), ops.cast(ones, x(0).dtype), window, channels, x(0));
    return lpSlope(site, x(0), attr.int('p', 2), shares);
  },
];

const globalLpPool: Rule = (site) => [() => lpSlope(site, site.x(0), site.attr.int('p', 2), lpShare(site))];

/** Pools. */
export const pools: Rules = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
  LpPool: lpPool,
  GlobalLpPool: globalLpPool,
};
