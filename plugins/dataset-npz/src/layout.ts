import type { Dataset } from '@gauntlet/core';
import { row, rows, tensor, type Tensor } from '@gauntlet/tensor';

/** The samples of a data set in the layout that a model takes: channels first or last. Other shapes are left as they are. */
export function inLayout(dataset: Dataset, wanted: readonly number[] | undefined): Dataset {
  const { shape } = dataset;
  const [first, second, third] = shape;
  const turned = (...axes: (number | undefined)[]) => shape.length === 3 && String(axes) === String(wanted);
  if (wanted === undefined || String(shape) === String(wanted)) return dataset;
  const move = turned(second, third, first)
    ? channelsLast
    : turned(third, first, second)
      ? channelsFirst
      : null;
  if (move === null) return dataset;
  return {
    ...dataset,
    shape: wanted,
    async batch(from, to) {
      const batch = await dataset.batch(from, to);
      return { ...batch, x: move(batch.x, wanted) };
    },
  };
}

/** [n, c, h, w] to [n, h, w, c] */
const channelsLast = (x: Tensor, [height, width, channels]: readonly number[]): Tensor =>
  transposed(x, [height!, width!, channels!], channels!, height! * width!);

/** [n, h, w, c] to [n, c, h, w] */
const channelsFirst = (x: Tensor, [channels, height, width]: readonly number[]): Tensor =>
  transposed(x, [channels!, height!, width!], height! * width!, channels!);

/** Each row as a matrix of `high` rows and `wide` columns, turned over. */
function transposed(x: Tensor, shape: readonly number[], high: number, wide: number): Tensor {
  const to = tensor(new Float32Array(x.data.length), [rows(x), ...shape]);
  for (let n = 0; n < rows(x); n++) {
    const [own, turned] = [row(x, n), row(to, n)];
    for (let i = 0; i < high; i++) for (let j = 0; j < wide; j++) turned[j * high + i] = own[i * wide + j]!;
  }
  return to;
}
