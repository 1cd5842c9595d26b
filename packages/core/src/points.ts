import { like, put, row, rows, take, type Tensor } from '@gauntlet/tensor';

/** The points of a call: the rows of a tensor, or a list of anything else, such as texts. */
export type Points = Tensor | readonly unknown[];

/** One of them: a row's numbers, or an entry of the list. */
export type Point<P extends Points> = P extends readonly (infer Entry)[] ? Entry : Float32Array;

const isTensor = (points: Points): points is Tensor => 'shape' in points;

/** How many points there are. */
export const count = (points: Points): number => (isTensor(points) ? rows(points) : points.length);

/** The number of points, and of a tensor the sizes of one. */
export const shapeOf = (points: Points): string => String(isTensor(points) ? points.shape : points.length);

/** Point `i`; of a tensor a view, not a copy. */
export const pointAt = <P extends Points>(points: P, i: number): Point<P> =>
  (isTensor(points) ? row(points, i) : (points as readonly unknown[])[i]) as Point<P>;

/** Writes point `i` into points that are the caller's own. */
export function setPoint<P extends Points>(points: P, i: number, point: Point<P>): void {
  if (isTensor(points)) row(points, i).set(point as Float32Array);
  else (points as unknown[])[i] = point;
}

/** A copy of the points in these places, in this order. */
export const pick = <P extends Points>(points: P, places: readonly number[]): P =>
  (isTensor(points)
    ? take(points, places)
    : places.map((place) => (points as readonly unknown[])[place])) as P;

/** A copy of all points. */
export const copied = <P extends Points>(points: P): P =>
  (isTensor(points) ? like(points, points.data.slice()) : [...(points as readonly unknown[])]) as P;

/** A derivative of zero by each of the points: of tensors, as nothing else is differentiated by. */
export const zeros = <P extends Points>(points: P): P => like(points as Tensor) as P;

/** A copy of `points`, tensors, in which point `places[k]` is point `k` of `values`. */
export const placed = <P extends Points>(points: P, places: readonly number[], values: P): P =>
  put(points as Tensor, places, values as Tensor) as P;
