import { GEOMETRY } from './geometry.js';
import { distance, within } from './norm.js';
import type { Stream } from './random.js';
import { like, row, rows, type Tensor } from './tensor.js';

/** The norms whose balls can be stepped in and projected on. */
export type BallNorm = 'l1' | 'l2' | 'linf';

/** The smallest and the largest value that an entry may take. */
export type Box = readonly [lo: number, hi: number];

/** A norm ball around every row of a batch, cut by the box: where perturbed inputs may lie. */
export interface Ball {
  readonly norm: BallNorm;
  readonly epsilon: number;
  /** The nearest point in ball and box to each row (exact, Euclidean). */
  project(points: Tensor): Tensor;
  /** A random point for each row, uniform in the ball before the box clips it; `random[i]` belongs to row `i`. */
  sample(random: readonly Stream[]): Tensor;
  /**
   * One step of steepest ascent: from each point, the move of length `share * epsilon` that stays in the box and gains most
   * along the gradient, projected back. A row whose gradient is zero does not move.
   */
  step(points: Tensor, gradient: Tensor, share: number): Tensor;
  /** Whether a point lies in the box and in the ball around this row, by the published tolerance (`within`). */
  contains(point: Float32Array, row: number): boolean;
}

/**
 * The ball of radius `epsilon` around each row of `centre`, which must lie in the box.
 *
 * @param finished rows for which this answers true are left where they are: nobody asks about them any more.
 */
export function ball(
  spec: { norm: BallNorm; epsilon: number; centre: Tensor; box: Box },
  finished: (row: number) => boolean = () => false,
): Ball {
  const { norm, epsilon, centre } = spec;
  const box: Box = [Math.fround(spec.box[0]), Math.fround(spec.box[1])];
  const { project, sample, ascend } = GEOMETRY[norm];

  const move = (points: Tensor, place: (point: Float32Array, centre: Float32Array, i: number) => void) => {
    const moved = like(points, points.data.slice());
    for (let i = 0; i < rows(points); i++) {
      if (finished(i)) continue;
      place(row(moved, i), row(centre, i), i);
    }
    return moved;
  };

  return {
    norm,
    epsilon,
    project: (points) => move(points, (point, around) => project(point, around, epsilon, box)),
    sample: (random) =>
      move(centre, (point, around, i) => {
        sample(point, epsilon, random[i]!);
        project(point, around, epsilon, box);
      }),
    step: (points, gradient, share) =>
      move(points, (point, around, i) => {
        ascend(point, row(gradient, i), share * epsilon, box);
        project(point, around, epsilon, box);
      }),
    contains: (point, i) =>
      point.every((value) => value >= box[0] && value <= box[1]) &&
      within(distance(point, row(centre, i), norm), epsilon),
  };
}
