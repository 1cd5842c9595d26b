import type { Tensor } from '@gauntlet/onnx';

import type { Site } from '../rule.js';
import type { Phases, Value } from '../value.js';
import { byPhases } from './phases.js';
import type { Window } from './window.js';
import { spread } from './window.js';

/** A convolution whose input gradient is wanted. */
export interface Convolution {
  readonly site: Site;
  readonly window: Window;
  readonly group: number;
}

/**
 * The input gradient of a convolution. Convolutions stay in ONNX Runtime's blocked layout, transposed ones do not; so where the weights
 * are constants, the gradient is written as convolutions with the weights mirrored and turned: by the phases of the stride, or directly
 * where the stride is 1. Everything else, also a single input channel, is a ConvTranspose.
 */
export function inputGradient(convolution: Convolution): Value | Phases {
  const { site, window, group } = convolution;
  const { x, g, lowering, graph, node } = site;
  const weights = lowering === 'plain' ? undefined : graph.value(node.input[1]!);
  const blocked = weights?.dtype === 'float32' && x(0).dims.length === 4;
  const found = blocked ? asConvolution(convolution, weights) : undefined;
  return found ?? spread(site, g, x(1), window, group, x(0));
}

/** The gradient by a convolution with constant weights; undefined where there is none that pays. */
function asConvolution(convolution: Convolution, weights: Tensor): Value | Phases | undefined {
  const { site, window, group } = convolution;
  const { x, g } = site;
  const channels = Number(x(0).dims[1]);
  const depthwise = group > 1 && channels === group;
  if (!(channels > group) && !depthwise) return undefined;
  const phases = byPhases(convolution, weights);
  if (phases !== undefined) return phases;
  return window.strides.every((stride) => stride === 1) ? mirrored(convolution, weights, g) : undefined;
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
