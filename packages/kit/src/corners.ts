import { type Box, IN_BALL, like, type Tensor } from '@gauntlet/tensor';

/**
 * The corners between which box and linf balls around points lie, with what counts as in a ball by rounding, and rounded outward to float32:
 * for proofs over a whole ball.
 */
export function corners(x: Tensor, epsilon: number, [lo, hi]: Box): [lower: Tensor, upper: Tensor] {
  const reach = epsilon * (1 + IN_BALL.relative) + IN_BALL.absolute;
  const outward = (by: number) =>
    x.data.map((value) => {
      const edge = value + by * reach;
      return Math.min(hi, Math.max(lo, edge + by * 2 ** -23 * Math.abs(edge)));
    });
  return [like(x, outward(-1)), like(x, outward(1))];
}
