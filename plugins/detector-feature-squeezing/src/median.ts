import { planesOf } from '@gauntlet/kit';
import { like, row, rows, type Tensor } from '@gauntlet/tensor';

/**
 * Median smoothing (Xu et al. 2018, section 3.2.1): every pixel becomes the median of the window around it, channel by channel, and beyond the edge
 * the image is mirrored. As in SciPy, an even window reaches one pixel farther up and left, and takes the larger of the two numbers in the middle.
 */
export function smoothByMedian(x: Tensor, window: number): Tensor {
  const { channels, height, width, at } = planesOf(x.shape.slice(1));
  const smooth = like(x);
  const around = (i: number, n: number) =>
    Array.from({ length: window }, (_, k) => mirrored(i - (window >> 1) + k, n));
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const columns = around(j, width);
      for (let k = 0; k < channels; k++) {
        const places = around(i, height).flatMap((line) => columns.map((column) => at(k, line, column)));
        for (let sample = 0; sample < rows(x); sample++) {
          const own = row(x, sample);
          const values = Float32Array.from(places, (place) => own[place]!).sort();
          row(smooth, sample)[at(k, i, j)] = values[values.length >> 1]!;
        }
      }
    }
  }
  return smooth;
}

/** The place that stands for `i` among `n` places that are mirrored at both ends: (d c b a | a b c d | d c b a). */
function mirrored(i: number, n: number): number {
  const place = ((i % (2 * n)) + 2 * n) % (2 * n);
  return place < n ? place : 2 * n - 1 - place;
}
