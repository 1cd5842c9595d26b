import type { Dim, Tensor, TensorType } from '@gauntlet/onnx';

import type { Ops } from '../ops.js';
import type { Phases, Value } from '../value.js';
import { elements, product } from '../value.js';
import type { Convolution } from './conv-lowering.js';
import { scaled } from './depthwise.js';
import type { Window } from './window.js';

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
  const { ops, x } = convolution.site;
  const image = x(0);
  const spread = spreadOf(convolution, convolution.site.g);
  if (spread === undefined || spread.stride === 1) return undefined;
  const { stride, group } = spread;
  if (group === 1 && Number(image.dims[1]) % BLOCK !== 0) {
    const all = phaseConvolution(ops, spread, offsetsOf(stride));
    return all && imageOf(ops, all, stride, image);
  }
  return {
    stride,
    phases: offsetsOf(stride).map((phase) => phaseConvolution(ops, spread, [phase])),
    whole: image,
  };
}

/** Beyond, most taps of a convolution to squares of pixels are zeros. */
const LARGEST_SQUARE = 4;

/**
 * The gradient of an image of few channels from a gradient that has arrived by phases, which is not laid out for it. Window i = p m + b of phase b among p reaches
 * pixel y = s p q + a where s p (m - q) = a + (pad - s b) - t: as a window m of stride s p, with less padding. So each phase is convolved to squares of
 * s p by s p pixels, which are channels until all are added. Undefined where nothing came by phases, or what hangs over the edge, or the squares are large.
 */
export function imageFromPhases(convolution: Convolution): Value | undefined {
  const { site, window } = convolution;
  const { ops, x } = site;
  const arrived = site.phases();
  if (arrived === undefined || arrived.stride * window.strides[0]! > LARGEST_SQUARE) return undefined;
  const { stride, phases, whole } = arrived;
  if (whole.dims.slice(2).some((size) => typeof size === 'string' || size % stride !== 0)) return undefined;
  const strides = window.strides.map((each) => each * stride);
  const squares = offsetsOf(stride).flatMap((offsets, phase) => {
    const begins = window.begins.map((begin, i) => begin - window.strides[i]! * offsets[i]!);
    const g = phases[phase];
    const spread = g && spreadOf({ ...convolution, window: { ...window, strides, begins } }, g);
    return (spread && phaseConvolution(ops, spread, offsetsOf(spread.stride))) ?? [];
  });
  return squares.length === 0 ? undefined : imageOf(ops, squares.reduce(ops.add), strides[0]!, x(0));
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

/** A gradient g that a convolution's windows spread over its image, with constant weights and one stride. */
interface Spread {
  readonly g: Value;
  readonly image: TensorType;
  readonly weights: Tensor;
  readonly window: Window;
  readonly group: number;
  readonly stride: number;
}

function spreadOf({ site, window, group }: Convolution, g: Value): Spread | undefined {
  const { x, graph, node } = site;
  const [stride = 1] = window.strides;
  const sizes = [...x(0).dims.slice(1), ...g.dims.slice(2)];
  if (sizes.length !== 5 || sizes.some((size) => typeof size === 'string')) return undefined;
  if (window.strides.some((each) => each !== stride) || window.dilations.some((each) => each !== 1))
    return undefined;
  const weights = graph.value(node.input[1]!);
  return weights && { g, image: x(0), weights, window, group, stride };
}

/** The row and the column of each phase of a stride. */
export const offsetsOf = (stride: number): Phase[] =>
  range(stride * stride).map((phase) => [Math.floor(phase / stride), phase % stride]);

type Phase = readonly [row: number, column: number];

/** The offsets at which some phases read along an axis. */
interface Reach {
  readonly least: number;
  readonly count: number;
}

/** How far some phases reach along height and width; undefined where no tap reaches them. */
function reachOf(
  { image, g, window, stride }: Spread,
  phases: readonly Phase[],
): readonly Reach[] | undefined {
  const axes = window.kernel.map((size, i): Reach | undefined => {
    const reached = range(size).flatMap((tap) =>
      phases.map((phase) => (phase[i]! + window.begins[i]! - tap) / stride).filter(Number.isInteger),
    );
    if (reached.length === 0) return undefined;
    // Offsets that have no tap are read with zero weights where padding would have to be negative.
    const least = Math.min(0, ...reached);
    const last = Number(g.dims[i + 2]) - Math.ceil(Number(image.dims[i + 2]) / stride);
    return { least, count: Math.max(last, ...reached) - least + 1 };
  });
  return axes.includes(undefined) ? undefined : (axes as Reach[]);
}

/** [N, (phases) C, ceil(height / stride), ceil(width / stride)]: some phases, as the channels of one convolution; undefined where no tap reaches them. */
function phaseConvolution(ops: Ops, spread: Spread, phases: readonly Phase[]): Value | undefined {
  const { g, image, group, stride } = spread;
  const axes = reachOf(spread, phases);
  if (axes === undefined) return undefined;
  const [rows, channels, ...sizes] = image.dims as [Dim, number, number, number];
  const blocks = sizes.map((size) => Math.ceil(size / stride));
  const before = axes.map(({ least }) => -least);
  const after = axes.map(({ least, count }, i) => blocks[i]! - 1 + least + count - (g.dims[i + 2] as number));
  return ops.emit(
    'Conv',
    [g, ops.constant(phaseWeights(spread, phases, axes))],
    {
      kernel_shape: axes.map(({ count }) => count),
      group,
      pads: [...before, ...after],
    },
    { dtype: g.dtype, dims: [rows, phases.length * channels, ...blocks] },
  );
}

/** Few channels of phases laid out as pixels: a single op is as fast as transpositions there. */
const imageOf = (ops: Ops, x: Value, stride: number, { dims }: Value): Value => {
  const whole = [...dims.slice(0, 2), ...x.dims.slice(2).map((size) => Number(size) * stride)];
  return cropped(ops, ops.emit('DepthToSpace', [x], { blocksize: stride }, { dtype: x.dtype, dims: whole }), {
    dims,
  });
};

/** [O, C / G, kh, kw] -> [(phases) C, O / G, eh, ew]: for each phase the taps that serve it, by their offset. */
function phaseWeights(
  { weights: { dims, data }, group, window: { begins }, stride }: Spread,
  phases: readonly Phase[],
  axes: readonly Reach[],
): Tensor {
  const [filters, channels, kh, kw] = dims as [number, number, number, number];
  const each = filters / group;
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
