import { type Box, like, type Tensor } from '@gauntlet/tensor';

/** Every value at the nearest of 2^bits levels, which are evenly spread over the box (Xu et al. 2018, section 3.2). */
export function reduceDepth(x: Tensor, bits: number, [lo, hi]: Box): Tensor {
  const steps = 2 ** bits - 1;
  const level = (value: number) => Math.round(((value - lo) / (hi - lo)) * steps);
  // Rounding to float32 may not leave the box, whose edges are float32 numbers themselves.
  const within = (value: number) => Math.min(Math.max(value, Math.fround(lo)), Math.fround(hi));
  return like(
    x,
    x.data.map((value) => within(lo + (level(value) / steps) * (hi - lo))),
  );
}
