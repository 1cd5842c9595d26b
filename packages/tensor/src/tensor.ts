/** A batch: the first axis counts rows (samples), the rest is one row's shape. Row-major. */
export interface Tensor {
  /** As many numbers as the product of the shape. */
  readonly data: Float32Array;
  /** [rows, ...shape of one row]. */
  readonly shape: readonly number[];
}

/**
 * A tensor over `data`, which is not copied.
 *
 * @throws RangeError when the shape does not hold exactly `data.length` numbers.
 */
export function tensor(data: Float32Array, shape: readonly number[]): Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  if (shape.length === 0 || size !== data.length) {
    throw new RangeError(
      `Unexpected ${data.length} numbers for shape [${shape}], expected ${size}. Pass a shape that starts with the number of rows.`,
    );
  }
  return { data, shape };
}

/** The number of rows. */
export const rows = (t: Tensor): number => t.shape[0]!;

/** How many numbers one row holds. */
export const rowSize = (t: Tensor): number => t.shape.slice(1).reduce((product, n) => product * n, 1);

/** A view (no copy) of row `i`. */
export function row(t: Tensor, i: number): Float32Array {
  const size = rowSize(t);
  return t.data.subarray(i * size, (i + 1) * size);
}

/** A tensor of the same shape over other numbers; zeros by default. */
export const like = (t: Tensor, data: Float32Array = new Float32Array(t.data.length)): Tensor =>
  tensor(data, t.shape);

/** A copy of the given rows, in the given order. */
export function take(t: Tensor, indices: readonly number[]): Tensor {
  const size = rowSize(t);
  const data = new Float32Array(indices.length * size);
  indices.forEach((from, to) => data.set(row(t, from), to * size));
  return tensor(data, [indices.length, ...t.shape.slice(1)]);
}

/** A copy of `t` in which row `indices[k]` is row `k` of `values`. */
export function put(t: Tensor, indices: readonly number[], values: Tensor): Tensor {
  const size = rowSize(t);
  const data = t.data.slice();
  indices.forEach((to, from) => data.set(row(values, from), to * size));
  return like(t, data);
}

/** The sum of two tensors of one shape. */
export const add = (a: Tensor, b: Tensor): Tensor =>
  like(
    a,
    a.data.map((value, i) => value + b.data[i]!),
  );

/** The place of each row's largest number, the first of several; -1, which is no place, where a NaN among them leaves that open. */
export function argmax(t: Tensor): Int32Array {
  const size = rowSize(t);
  const best = new Int32Array(rows(t));
  for (let i = 0; i < best.length; i++) {
    const at = i * size;
    let top = 0;
    for (let j = 0; j < size && top >= 0; j++) {
      const value = t.data[at + j]!;
      if (Number.isNaN(value)) top = -1;
      else if (value > t.data[at + top]!) top = j;
    }
    best[i] = top;
  }
  return best;
}
