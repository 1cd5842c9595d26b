import type { Site } from '../rule.js';
import type { Value } from '../value.js';

/**
 * Scales every normal number above 0 to at least 1, which is then clipped to 1, as is a product that overflows. A power of two: exact.
 */
const STEEP = 2 ** 127;

/** As steep as a difference to a bound of usual size may be without overflowing. */
const STEEP_DIFFERENCE = 2 ** 100;

/** g where y > 0, else 0, for a y that is not negative. The fast form multiplies by a mask of exact zeros and ones. */
export function whenPositive({ ops, lowering }: Site, y: Value, g: Value): Value {
  const { mul, where, greater, sign } = ops;
  if (lowering === 'plain' || y.dtype !== 'float32') return where(greater(y, 0), g, 0);
  return mul(g, hasBlocks(y) ? steps(ops, y, STEEP, 0) : sign(y));
}

/** g where low < y < high, else 0, for a y that was clipped to these bounds. */
export function whenInside(site: Site, y: Value, low: number, high: number, g: Value): Value {
  const { ops, lowering } = site;
  const { mul, where, and, greater, less } = ops;
  if (low === 0 && high === Infinity) return whenPositive(site, y, g);
  if (lowering === 'plain' || y.dtype !== 'float32' || !hasBlocks(y)) {
    const bounds = [
      ...(low === -Infinity ? [] : [greater(y, low)]),
      ...(high === Infinity ? [] : [less(y, high)]),
    ];
    return bounds.length === 0 ? g : where(bounds.reduce(and), g, 0);
  }
  const above = low === -Infinity ? g : mul(g, steps(ops, y, STEEP_DIFFERENCE, -low));
  return high === Infinity ? above : mul(above, steps(ops, y, -STEEP_DIFFERENCE, -high));
}

/** Whether ONNX Runtime keeps a tensor in its blocked layout: images with a known number of channels. */
function hasBlocks({ dims }: Value): boolean {
  return dims.length === 4 && typeof dims[1] === 'number';
}

/** clip(slope * (y + shift), 0, 1) as a depthwise 1x1 convolution that is fused with its Clip. */
function steps({ emit, scalar, constant }: Site['ops'], y: Value, slope: number, shift: number): Value {
  const channels = y.dims[1] as number;
  const each = (value: number, dims: readonly number[]) =>
    constant({ dtype: 'float32', dims, data: new Float32Array(channels).fill(value) });
  const bias = shift === 0 ? [] : [each(slope * shift, [channels])];
  const scaled = emit(
    'Conv',
    [y, each(slope, [channels, 1, 1, 1]), ...bias],
    { group: channels, kernel_shape: [1, 1] },
    y,
  );
  return emit('Clip', [scaled, scalar(0, 'float32'), scalar(1, 'float32')]);
}
