import type { Site } from '../rule.js';
import type { Value } from '../value.js';
import { windowOf } from './window.js';

/** As steep as differences of activations may be multiplied without overflowing. A power of two: exact. */
const STEEP = 2 ** 80;

/**
 * The gradient of a MaxPool whose windows tile the image, without its indices, which ONNX Runtime computes slowly and outside its
 * blocked layout. Place k of every window is read by a strided convolution; u_k = tanh(steep * (y - x_k)) is 0 where the place holds the
 * largest element and 1 where it does not. What is left for places k and later is r_k = g u_0 .. u_(k-1), so that the first of equal
 * elements gets all. Undefined where the windows do not tile.
 */
export function tiledMaxPool(site: Site, g: Value): Value | undefined {
  const { x, y, ops, lowering } = site;
  const [image, { kernel, strides, dilations, begins, ends }] = [x(0), windowOf(site)];
  const [, channels, height, width] = image.dims;
  const [size = 0, other] = kernel;
  const tiles =
    lowering === 'blocked' &&
    image.dtype === 'float32' &&
    kernel.length === 2 &&
    size === other &&
    (size === 2 || size === 3) &&
    strides.every((stride) => stride === size) &&
    [...begins, ...ends].every((pad) => pad === 0) &&
    dilations.every((dilation) => dilation === 1) &&
    typeof channels === 'number' &&
    height === Number(g.dims[2]) * size &&
    width === Number(g.dims[3]) * size;
  if (!tiles) return undefined;
  const depthwise = (value: Value, weights: Float32Array, edge: number) =>
    ops.emit(
      'Conv',
      [value, ops.constant({ dtype: 'float32', dims: [channels, 1, edge, edge], data: weights })],
      { group: channels, kernel_shape: [edge, edge], strides: [edge, edge] },
      { dtype: 'float32', dims: y().dims },
    );
  const places = size * size;
  const largest = depthwise(y(), new Float32Array(channels).fill(STEEP), 1);
  const smaller = (k: number) => {
    const weights = new Float32Array(channels * places).map((_, at) => (at % places === k ? -STEEP : 0));
    return ops.tanh(ops.add(depthwise(image, weights, size), largest));
  };
  const parts: Value[] = [];
  let rest = g;
  for (let k = 0; k < places - 1; k++) {
    const left = ops.mul(rest, smaller(k));
    parts.push(ops.sub(rest, left));
    rest = left;
  }
  return ops.emit('DepthToSpace', [ops.concat([...parts, rest], 1)], { blocksize: size }, image);
}
