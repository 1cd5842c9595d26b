import { GEOMETRY } from './geometry.js';
import { distance, within } from './norm.js';
import type { Stream } from './random.js';
import { like, row, rows, rowSize, take, type Tensor } from './tensor.js';

/** The norms whose balls can be stepped in and projected on. */
export type BallNorm = 'l0' | 'l1' | 'l2' | 'linf';

/** The smallest and the largest value that an entry may take. */
export type Box = readonly [lo: number, hi: number];

/** A norm ball around every row of a batch, cut by the box: where perturbed inputs may lie. */
export interface Ball {
  /** The clean samples, one in each row. */
  readonly centre: Tensor;
  readonly norm: BallNorm;
  /** The radius, in the units of the rows; infinite where the box alone bounds; in l0 a count of entries. */
  readonly epsilon: number;
  /** The values that every entry may take. */
  readonly box: Box;
  /** The nearest point in ball and box to each row (exact, Euclidean). */
  project(points: Tensor): Tensor;
  /**
   * A random point for each of these rows (all by default), uniform in the ball before the box clips it (in an infinite ball: in the box);
   * `random[k]` draws the one for row `of[k]`.
   */
  sample(random: readonly Stream[], of?: readonly number[]): Tensor;
  /**
   * One step of steepest ascent, from points in ball and box: the move of length `share * epsilon` that stays in the box and gains
   * most along the gradient, projected back. A row whose gradient is zero does not move. `share` is one for all, or one per row. In l0 the length
   * counts entries, and any step moves one at the least.
   */
  step(points: Tensor, gradient: Tensor, share: number | ArrayLike<number>): Tensor;
  /** Whether a point lies in the box and in the ball around this row, by the published tolerance (`within`). */
  contains(point: Float32Array, row: number): boolean;
  /** How far a point is from this row, in the norm, in float64. */
  distance(point: Float32Array, row: number): number;
}

/**
 * The ball of radius `epsilon` around each row of `centre`, which must lie in the box; an infinite one is the box.
 *
 * @param finished rows for which this answers true are left where they are: nobody asks about them any more.
 */
export function ball(
  spec: { norm: BallNorm; epsilon: number; centre: Tensor; box: Box },
  finished: (row: number) => boolean = () => false,
): Ball {
  const { norm, epsilon, centre } = spec;
  const box: Box = [Math.fround(spec.box[0]), Math.fround(spec.box[1])];
  const size = rowSize(centre);
  const { project, sample, step } = GEOMETRY[norm]({ epsilon, centre: centre.data, size, box });

  /** A copy of `points` in which every row that somebody still asks about was moved. */
  const moved = (points: Tensor, move: (data: Float32Array, i: number, from: number, to: number) => void) => {
    const data = points.data.slice();
    for (let i = 0; i < rows(points); i++) if (!finished(i)) move(data, i, i * size, (i + 1) * size);
    return like(points, data);
  };

  return {
    centre,
    norm,
    epsilon,
    box,
    project: (points) => moved(points, (data, _, from, to) => project(data, from, to)),
    sample: (random, of = Array.from({ length: rows(centre) }, (_, i) => i)) => {
      const data = centre.data.slice();
      of.forEach((i, k) => {
        if (finished(i)) return;
        const [from, to] = [i * size, (i + 1) * size];
        if (epsilon === Infinity) {
          for (let j = from; j < to; j++) data[j] = box[0] + (box[1] - box[0]) * random[k]!.uniform();
        } else sample(data, random[k]!, from, to);
        project(data, from, to);
      });
      return take(like(centre, data), of);
    },
    step: (points, gradient, share) =>
      moved(points, (data, i, from, to) => {
        const own = typeof share === 'number' ? share : share[i]!;
        step(data, gradient.data, own * epsilon, from, to);
      }),
    contains: (point, i) =>
      point.every((value) => value >= box[0] && value <= box[1]) &&
      within(distance(point, row(centre, i), norm), epsilon),
    distance: (point, i) => distance(point, row(centre, i), norm),
  };
}
