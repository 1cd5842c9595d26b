import type { Dim, Tensor } from '@gauntlet/onnx';

import type { Ops } from '../ops.js';
import type { Phases, Value } from '../value.js';
import { elements, product } from '../value.js';
import type { Convolution } from './conv-lowering.js';
import { scaled } from './depthwise.js';

/** ONNX Runtime's blocked layout holds channels in blocks of 16 (of 8 where registers are shorter). */
export const BLOCK = 16;

/**
 * The input gradient of a convolution by phases, as convolutions at their resolution: pixel y = stride q + r gets w[t] g[i] for every
 * tap t and window i with stride i + t = y + pad. So phase r reads g at q + e, with offsets e = (r + pad - t) / stride, by the taps t for which that is whole.
 *
 * Phases are made one by one, each by its own taps only; where channels do not fill blocks, all at once, as channels of one convolution. Undefined where strides differ or are 1,
 * the kernel has gaps, shapes are not known, or the weights are not read.
 */
export function byPhases(convolution: Convolution): Value | Phases | undefined {
  const { site, window, group } = convolution;
  const { x, g, ops, graph, node } = site;
  const [stride = 1] = window.strides;
  const sizes = [...x(0).dims.slice(1), ...g.dims.slice(2)];
  if (sizes.length !== 5 || sizes.some((size) => typeof size === 'string') || stride === 1) return undefined;
  if (window.strides.some((each) => each !== stride) || window.dilations.some((each) => each !== 1))
    return undefined;
  const weights = graph.value(node.input[1]!);
  if (weights === undefined) return undefined;
  const all = range(stride * stride).map((phase) => [Math.floor(phase / stride), phase % stride] as const);
  const together = group === 1 && Number(x(0).dims[1]) % BLOCK !== 0;
  const phases = (together ? [all] : all.map((phase) => [phase])).map((own) => {
    const part = partOf(convolution, own);
    return part && phaseConvolution(convolution, weights, part);
  });
  return together ? cropped(ops, pixelsOf(ops, phases[0]!, stride), x(0)) : { stride, phases, whole: x(0) };
}

/** A gradient that was kept by phases, as an image in the blocked layout. */
export function pixels(ops: Ops, { stride, phases, whole }: Phases): Value {
  const some = phases.find((phase) => phase !== undefined)!;
  const zero = phases.includes(undefined) ? scaled(ops, some, 0, 0) : some;
  const all = phases.map((phase) => phase ?? zero);
  const image = cropped(ops, pixelsOf(ops, ops.concat(all, 1), stride), whole);
  return Number(whole.dims[1]) % BLOCK === 0 ? scaled(ops, image, 1, 0) : image;
}

/** Adds gradients of one tensor that are kept by phases of one stride. */
export const sumOfPhases = (ops: Ops, all: readonly Phases[]): Phases => ({
  ...all[0]!,
  phases: all[0]!.phases.map((_, phase) => {
    const parts = all.flatMap(({ phases }) => phases[phase] ?? []);
    return parts.length === 0 ? undefined : parts.reduce(ops.add);
  }),
});

/** Phases that are made by one convolution, as its channels. */
interface Part {
  readonly phases: readonly (readonly [number, number])[];
  /** The offsets that they read along height and width. */
  readonly axes: readonly Offsets[];
}

interface Offsets {
  readonly least: number;
  readonly count: number;
}

/** How phases are made together; undefined where no tap reaches them. */
function partOf({ site, window }: Convolution, phases: Part['phases']): Part | undefined {
  const { kernel, begins, strides } = window;
  const sizes = site.x(0).dims.slice(2) as number[];
  const windows = site.g.dims.slice(2) as number[];
  const axes = kernel.map((size, i): Offsets | undefined => {
    const stride = strides[i]!;
    const reached = range(size).flatMap((tap) =>
      phases.map((phase) => (phase[i]! + begins[i]! - tap) / stride).filter(Number.isInteger),
    );
    if (reached.length === 0) return undefined;
    // Offsets that have no tap are read with zero weights where padding would have to be negative.
    const least = Math.min(0, ...reached);
    const last = windows[i]! - Math.ceil(sizes[i]! / stride);
    return { least, count: Math.max(last, ...reached) - least + 1 };
  });
  return axes.includes(undefined) ? undefined : { phases, axes: axes as Offsets[] };
}

/** [N, (phases) C, ceil(height / stride), ceil(width / stride)] */
function phaseConvolution(
  { site, window, group }: Convolution,
  weights: Tensor,
  { phases, axes }: Part,
): Value {
  const { x, g, ops } = site;
  const [rows, channels, ...sizes] = x(0).dims as [Dim, number, number, number];
  const blocks = sizes.map((size) => Math.ceil(size / window.strides[0]!));
  const before = axes.map(({ least }) => -least);
  const after = axes.map(({ least, count }, i) => blocks[i]! - 1 + least + count - (g.dims[i + 2] as number));
  return ops.emit(
    'Conv',
    [g, ops.constant(phaseWeights(weights, group, window, { phases, axes }))],
    {
      kernel_shape: axes.map(({ count }) => count),
      group,
      pads: [...before, ...after],
    },
    { dtype: g.dtype, dims: [rows, phases.length * channels, ...blocks] },
  );
}

/** [O, C / G, kh, kw] -> [(phases) C, O / G, eh, ew]: for each phase the taps that serve it, by their offset. */
function phaseWeights(
  { dims, data }: Tensor,
  group: number,
  { strides, begins }: Convolution['window'],
  { phases, axes }: Part,
): Tensor {
  const [filters, channels, kh, kw] = dims as [number, number, number, number];
  const [each, stride] = [filters / group, strides[0]!];
  const [eh, ew] = axes.map(({ count }) => count) as [number, number];
  const offset = (axis: number, phase: number, tap: number) =>
    (phase + begins[axis]! - tap) / stride - axes[axis]!.least;
  const sizes = [phases.length * group * channels, each, eh, ew];
  const target = new Float32Array(elements(sizes, 'a convolution'));
  for (const [p, [r, s]] of phases.entries()) {
    for (let h = 0; h < kh; h++) {
      const row = offset(0, r, h);
      if (!Number.isInteger(row)) continue;
      for (let w = 0; w < kw; w++) {
        const column = offset(1, s, w);
        if (!Number.isInteger(column)) continue;
        for (let o = 0; o < filters; o++) {
          for (let c = 0; c < channels; c++) {
            const to = (p * group + Math.floor(o / each)) * channels + c;
            target[((to * each + (o % each)) * eh + row) * ew + column] = (data as Float32Array)[
              ((o * channels + c) * kh + h) * kw + w
            ]!;
          }
        }
      }
    }
  }
  return { dtype: 'float32', dims: sizes, data: target };
}

/**
 * Lays channels out as pixels: channel (p stride + q) C + c of [N, stride stride C, h, w] holds row p and column q of every block of
 * channel c of [N, C, stride h, stride w]. Written with channels last, where whole blocks of memory move, and which the blocked layout
 * is turned to and from as fast as to the plain one.
 */
function pixelsOf({ emit, transpose, ints }: Ops, x: Value, stride: number): Value {
  const [rows, channels, height, width] = x.dims as [Dim, number, number, number];
  const count = channels / stride ** 2;
  // ONNX Runtime would make one slow transposition of two if the first axes were not joined between them.
  const apart = [product([rows, height]), width, stride, stride * count] as const;
  const together = [rows, height * stride, width * stride, count] as const;
  const reshaped = (value: Value, dims: readonly Dim[]) =>
    emit('Reshape', [value, ints([-1, ...(dims.slice(1) as number[])])], {}, { dtype: x.dtype, dims });
  // [N h, w, stride, stride C] -> [N h, stride, w, stride C]
  const blocks = transpose(reshaped(transpose(x, [0, 2, 3, 1]), apart), [0, 2, 1, 3]);
  return transpose(reshaped(blocks, together), [0, 3, 1, 2]);
}

/** Leaves out what the last blocks hang over. */
const cropped = ({ slice }: Ops, image: Value, { dims }: Pick<Value, 'dims'>): Value =>
  [2, 3].reduce(
    (value, axis) => (value.dims[axis] === dims[axis] ? value : slice(value, axis, 0, dims[axis] as number)),
    image,
  );

/** The numbers from 0 up to, but without, the length. */
export const range = (length: number): number[] => [...Array(length).keys()];
