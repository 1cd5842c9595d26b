import type { Tensor } from '@gauntlet/onnx';

import type { Value } from '../value.js';
import type { Convolution } from './conv-lowering.js';

/**
 * The input gradient of a strided convolution as one dense convolution, whose channels are then laid out as pixels: element y of the
 * input belongs to phase r = y mod stride, and gets w[t] g[i] for every tap t and window i with i * stride + t = y + pad. So phase r
 * reads g at i = floor(y / stride) + e, with offsets e = (r + pad - t) / stride, by the taps t of its own residue; where a phase has
 * no tap for an offset, its weight is zero.
 *
 * Undefined where the strides differ or the kernel has gaps, and where a ConvTranspose does as well.
 */
export function byPhases({ site, window, group }: Convolution, weights: Tensor): Value | undefined {
  const { x, g, ops } = site;
  const { kernel, strides, dilations, begins } = window;
  const [stride] = strides as [number, ...number[]];
  const sizes = [...x(0).dims.slice(2), ...g.dims.slice(2)];
  if (strides.some((each) => each !== stride) || dilations.some((each) => each !== 1)) return undefined;
  if (kernel.length !== 2 || sizes.some((size) => typeof size === 'string')) return undefined;
  const axes = kernel.map((size, i) => offsets(size, stride, begins[i]!));
  const [height, width] = x(0).dims.slice(2) as [number, number];
  // Rows and columns of pixel blocks, of which the last may hang over the edge.
  const blocks = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const before = axes.map(({ least }) => Math.max(0, -least));
  const pads = axes.map(({ least, count }, i) => blocks[i]! - 1 + least + count - (g.dims[i + 2] as number));
  // An offset that starts after 0, or windows that nobody reads, would need negative padding.
  if (axes.some(({ least }) => least > 0) || pads.some((pad) => pad < 0)) return undefined;
  const merged = phaseWeights(weights, group, stride, begins, axes);
  const [rows, channels] = x(0).dims as [Value['dims'][number], number];
  const dense = ops.emit(
    'Conv',
    [g, ops.constant(merged)],
    { kernel_shape: axes.map(({ count }) => count), group, pads: [...before, ...pads] },
    { dtype: g.dtype, dims: [rows, channels * stride * stride, ...blocks] },
  );
  const grown = blocks.map((size) => size * stride);
  const pixels = ops.emit(
    'DepthToSpace',
    [dense],
    { blocksize: stride, mode: 'CRD' },
    { dtype: g.dtype, dims: [rows, channels, ...grown] },
  );
  return [height, width].reduce<Value>(
    (value, size, i) => (size < grown[i]! ? ops.slice(value, i + 2, 0, size) : value),
    pixels,
  );
}

/** The offsets e that any phase reads along an axis. */
interface Offsets {
  readonly least: number;
  readonly count: number;
}

function offsets(kernel: number, stride: number, pad: number): Offsets {
  const all = Array.from({ length: kernel }, (_, tap) => (phaseOf(tap, pad, stride) + pad - tap) / stride);
  const least = Math.min(...all);
  return { least, count: Math.max(...all) - least + 1 };
}

/** [O, C / G, kh, kw] -> [C s s, O / G, eh, ew]: for each phase, the taps of its residue by their offset. */
function phaseWeights(
  { dims, data }: Tensor,
  group: number,
  stride: number,
  pads: readonly number[],
  axes: readonly Offsets[],
): Tensor {
  const [filters, channels, kh, kw] = dims as [number, number, number, number];
  const [each, phases] = [filters / group, stride * stride];
  const [eh, ew] = axes.map(({ count }) => count) as [number, number];
  const target = new Float32Array(group * channels * phases * each * eh * ew);
  for (let o = 0; o < filters; o++) {
    for (let c = 0; c < channels; c++) {
      const channel = Math.floor(o / each) * channels + c;
      for (let h = 0; h < kh; h++) {
        for (let w = 0; w < kw; w++) {
          const [rh, rw] = [phaseOf(h, pads[0]!, stride), phaseOf(w, pads[1]!, stride)];
          const row = (rh + pads[0]! - h) / stride - axes[0]!.least;
          const column = (rw + pads[1]! - w) / stride - axes[1]!.least;
          const to = (channel * phases + rh * stride + rw) * each + (o % each);
          target[(to * eh + row) * ew + column] = (data as Float32Array)[
            ((o * channels + c) * kh + h) * kw + w
          ]!;
        }
      }
    }
  }
  return { dtype: 'float32', dims: [group * channels * phases, each, eh, ew], data: target };
}

/** The phase that a tap serves: (r + pad - t) is a multiple of the stride. */
const phaseOf = (tap: number, pad: number, stride: number): number =>
  (((tap - pad) % stride) + stride) % stride;
