import { type Box, like, take, type Tensor } from '@gauntlet/tensor';

// A lookup of a global costs more than the arithmetic where code runs in a realm of its own, as under jest.
const { max, min } = Math;

/** Every row of `x` [n, ...] with the one row of `noise` [1, ...] added to it, clipped to the box where one is given: what one perturbation for all inputs does. */
export function shifted(x: Tensor, noise: Tensor, [lo, hi]: Box = [-Infinity, Infinity]): Tensor {
  const { data } = noise;
  const shift = (value: number, i: number) => min(hi, max(lo, value + data[i % data.length]!));
  return like(x, x.data.map(shift));
}

/** One row [1, ...]: the sum of all rows, of which there is one at the least. */
export function sumOfRows(t: Tensor): Tensor {
  const total = take(t, [0]);
  const { length } = total.data;
  for (let i = length; i < t.data.length; i++) total.data[i % length]! += t.data[i]!;
  return total;
}
