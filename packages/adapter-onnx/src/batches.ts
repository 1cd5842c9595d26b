import { rows, rowSize, type Tensor, tensor } from '@gauntlet/tensor';

/** One run's share of a batch: `count` points from place `from` on, in a tensor that may be padded. */
export interface Chunk {
  readonly from: number;
  readonly count: number;
  readonly points: Tensor;
}

/** Cuts a batch into runs of at most `most` points; where runs must have exactly that size, the last is padded with its first point. */
export function chunks(points: Tensor, most: number, exact: boolean): Chunk[] {
  const count = rows(points);
  if (count <= most && !(exact && count < most)) return count === 0 ? [] : [{ from: 0, count, points }];
  const size = rowSize(points);
  const shape = points.shape.slice(1);
  return Array.from({ length: Math.ceil(count / most) }, (_, i) => {
    const from = i * most;
    const taken = Math.min(most, count - from);
    const own = points.data.subarray(from * size, (from + taken) * size);
    if (!exact || taken === most) return { from, count: taken, points: tensor(own, [taken, ...shape]) };
    const padded = new Float32Array(most * size);
    for (let place = 0; place < most; place++)
      padded.set(
        place < taken ? own.subarray(place * size, (place + 1) * size) : own.subarray(0, size),
        place * size,
      );
    return { from, count: taken, points: tensor(padded, [most, ...shape]) };
  });
}
