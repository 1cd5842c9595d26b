import type { Tensor } from '@gauntlet/onnx';

import type { Site } from '../rule.js';
import type { Value } from '../value.js';
import { fixed } from '../value.js';
import { byPhases } from './phases.js';
import type { Window } from './window.js';
import { repeated, spread } from './window.js';

/** A convolution whose input gradient is wanted. */
export interface Convolution {
  readonly site: Site;
  readonly window: Window;
  readonly group: number;
}

/**
 * The input gradient of a convolution. Convolutions stay in ONNX Runtime's blocked layout, transposed ones do not; so where the weights
 * are constants, the gradient is written as a convolution with the weights mirrored and turned:
 * stride 1 directly, kernels of one element before the gaps of their stride are filled with zeros, depthwise ones after.
 * Everything else, also a single input channel, is a ConvTranspose.
 */
export function inputGradient(convolution: Convolution): Value {
  const { site, window, group } = convolution;
  const { x, g, lowering, graph, node } = site;
  const weights = lowering === 'plain' ? undefined : graph.value(node.input[1]!);
  const blocked = weights?.dtype === 'float32' && x(0).dims.length === 4;
  const found = blocked ? asConvolution(convolution, weights) : undefined;
  return found ?? spread(site, g, x(1), window, group, x(0));
}

/** The gradient by a convolution with constant weights; undefined where there is none that pays. */
function asConvolution(convolution: Convolution, weights: Tensor): Value | undefined {
  const { site, window, group } = convolution;
  const { x, g } = site;
  const channels = Number(x(0).dims[1]);
  const depthwise = group > 1 && channels === group;
  if (!(channels > group) && !depthwise) return undefined;
  if (window.strides.every((stride) => stride === 1)) return mirrored(convolution, weights, g);
  const known = [...g.dims.slice(2), ...x(0).dims.slice(2)].every((size) => typeof size === 'number');
  const point =
    window.kernel.every((size) => size === 1) && [...window.begins, ...window.ends].every((pad) => pad === 0);
  if (point && known)
    return widened(site, mirroredSmall(convolution, weights), window, x(0).dims.slice(2) as number[]);
  if (!depthwise) return byPhases(convolution, weights);
  if (!known) return undefined;
  const sizes = g.dims.slice(2).map((size, i) => fixed(size, site.path) * window.strides[i]!);
  return mirrored(convolution, weights, widened(site, g, window, sizes));
}

/** [O, C / G, ...kernel] -> [C, O / G, ...kernel] with the kernel mirrored. */
function turned({ dims, data }: Tensor, group: number): Tensor {
  const [filters, channels, ...kernel] = dims as [number, number, ...number[]];
  const [size, each] = [kernel.reduce((total, length) => total * length, 1), filters / group];
  const source = data as Float32Array;
  const target = new Float32Array(source.length);
  for (let o = 0; o < filters; o++) {
    const g = Math.floor(o / each);
    for (let c = 0; c < channels; c++) {
      const [from, to] = [(o * channels + c) * size, ((g * channels + c) * each + (o % each)) * size];
      // Mirroring every axis of the kernel reverses it.
      for (let k = 0; k < size; k++) target[to + k] = source[from + size - 1 - k]!;
    }
  }
  return { dtype: 'float32', dims: [group * channels, each, ...kernel], data: target };
}

/** Convolution of g with the turned weights at stride 1; undefined where the padding would be negative. */
function mirrored({ site, window, group }: Convolution, weights: Tensor, g: Value): Value | undefined {
  const { x, ops } = site;
  const { kernel, dilations, begins } = window;
  const reach = kernel.map((size, i) => (size - 1) * dilations[i]!);
  const before = reach.map((length, i) => length - begins[i]!);
  const after = reach.map((length, i) => {
    const [input, output] = [x(0).dims[i + 2]!, g.dims[i + 2]!];
    if (typeof input === 'string' || typeof output === 'string') return length - window.ends[i]!;
    return input - output + length - before[i]!;
  });
  if ([...before, ...after].some((pad) => pad < 0)) return undefined;
  const attributes = { kernel_shape: kernel, dilations, group, pads: [...before, ...after] };
  return ops.emit('Conv', [g, ops.constant(turned(weights, group))], attributes, {
    dtype: g.dtype,
    dims: x(0).dims,
  });
}

/** A kernel of one element: the convolution at the low resolution of g. */
function mirroredSmall({ site, group }: Convolution, weights: Tensor): Value {
  const { g, ops, x } = site;
  const kernel = weights.dims.slice(2);
  const dims = [x(0).dims[0]!, x(0).dims[1]!, ...g.dims.slice(2)];
  return ops.emit(
    'Conv',
    [g, ops.constant(turned(weights, group))],
    { kernel_shape: kernel, group },
    { dtype: g.dtype, dims },
  );
}

/** Puts zeros between the elements: each is repeated over its stride, and all but the first copy masked. */
function widened({ ops, path }: Site, g: Value, { strides }: Window, sizes: readonly number[]): Value {
  const { constant, mul, slice } = ops;
  const grown = g.dims.slice(2).map((size, i) => fixed(size, path) * strides[i]!);
  const [height, width] = grown as [number, number];
  const mask = new Float32Array(height * width).map((_, at) =>
    Math.floor(at / width) % strides[0]! === 0 && (at % width) % strides[1]! === 0 ? 1 : 0,
  );
  const all = mul(
    repeated(ops, g, strides),
    constant({ dtype: 'float32', dims: [1, 1, height, width], data: mask }),
  );
  return sizes.reduce((value, size, i) => (size < grown[i]! ? slice(value, i + 2, 0, size) : value), all);
}
