import type { Ops } from '../ops.js';
import type { Value } from '../value.js';
import { elements } from '../value.js';

/** Scales every normal number above 0 to at least 2. A power of two: exact. */
export const STEEP = 2 ** 127;

/** Which elements are read along height and width: element q reads stride q + offset, for q below the count. What lies outside is 0. */
export interface Reading {
  readonly offsets: readonly number[];
  readonly stride: number;
  readonly counts: readonly number[];
}

/**
 * slope x + bias for images x [N, C, h, w] of a known number of channels, as a depthwise convolution with a single tap, which stays in ONNX Runtime's blocked layout.
 * Sizes must be known where a reading is given.
 */
export function scaled(
  { emit, constant }: Ops,
  x: Value,
  slope: number,
  bias: number,
  reading?: Reading,
): Value {
  const channels = x.dims[1] as number;
  const { kernel, tap, attributes, dims } = tapOf(x, reading);
  const area = kernel[0]! * kernel[1]!;
  const sizes = [channels, 1, ...kernel];
  const weights = new Float32Array(elements(sizes, `"${x.name}"`)).map((_, at) =>
    at % area === tap ? slope : 0,
  );
  const biases = { dtype: 'float32', dims: [channels], data: new Float32Array(channels).fill(bias) } as const;
  const inputs = [x, constant({ dtype: 'float32', dims: sizes, data: weights })];
  return emit(
    'Conv',
    bias === 0 ? inputs : [...inputs, constant(biases)],
    { group: channels, kernel_shape: kernel, ...attributes },
    { dtype: x.dtype, dims },
  );
}

/** The kernel of a reading, and the place of its only tap. */
function tapOf({ dims }: Value, reading?: Reading) {
  if (reading === undefined) return { kernel: [1, 1], tap: 0, attributes: {}, dims };
  const { offsets, stride, counts } = reading;
  const before = offsets.map((offset) => Math.max(0, -offset));
  const taps = offsets.map((offset) => Math.max(0, offset));
  const after = counts.map(
    (count, i) => (count - 1) * stride + taps[i]! + 1 - before[i]! - (dims[i + 2] as number),
  );
  // A kernel that is larger than its tap leaves out elements at the end, of which those that fill no stride are left out anyway.
  const kernel = taps.map((tap, i) => tap + 1 + Math.max(0, 1 - after[i]! - stride));
  return {
    kernel,
    tap: taps[0]! * kernel[1]! + taps[1]!,
    attributes: {
      strides: [stride, stride],
      pads: [...before, ...after.map((amount) => Math.max(0, amount))],
    },
    dims: [...dims.slice(0, 2), ...counts],
  };
}
