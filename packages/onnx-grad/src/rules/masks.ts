import type { Site } from '../rule.js';
import type { Value } from '../value.js';

/** Scales any normal number to at least 1 before it is clipped; a product that overflows is clipped as well. */
const LARGE = 1e38;

/** Weight of the 1x1 depthwise convolution that does the same inside ONNX Runtime's blocked layout. */
const LARGE_WEIGHT = 1e30;

/** g where x > 0, else 0. The blocked form multiplies by a mask of exact zeros and ones. */
export function whenPositive({ ops, lowering }: Site, x: Value, g: Value): Value {
  const { mul, where, greater } = ops;
  if (lowering === 'plain' || x.dtype !== 'float32') return where(greater(x, 0), g, 0);
  return mul(g, step(ops, x));
}

/** 1 where x > 0, else 0, as float32. */
function step({ emit, mul, scalar, constant }: Site['ops'], x: Value): Value {
  const [low, high] = [scalar(0, 'float32'), scalar(1, 'float32')];
  const channels = x.dims[1];
  if (x.dims.length !== 4 || typeof channels !== 'number') return emit('Clip', [mul(x, LARGE), low, high]);
  const weights = constant({
    dtype: 'float32',
    dims: [channels, 1, 1, 1],
    data: new Float32Array(channels).fill(LARGE_WEIGHT),
  });
  return emit('Clip', [emit('Conv', [x, weights], { group: channels, kernel_shape: [1, 1] }, x), low, high]);
}
