import { tensor } from '@gauntlet/tensor';
import { testDetector } from '@gauntlet/testing';
import squeezing from './index.js';
import { smoothByMedian } from './median.js';

testDetector(squeezing);
testDetector(squeezing, { options: { bits: 1 } });

it.each([
  // What scipy.ndimage.median_filter(image, window) gives, in SciPy 1.16.
  [2, [5, 5, 4, 5, 5, 4, 8, 8, 7]],
  [3, [5, 4, 4, 5, 5, 4, 8, 7, 6]],
])('takes the median of windows of %i pixels', (window, wanted) => {
  const image = [5, 1, 4, 2, 9, 3, 8, 7, 6];
  const two = tensor(Float32Array.from([...image, ...image.map((value) => -value)]), [2, 1, 3, 3]);
  expect([...smoothByMedian(two, window).data.slice(0, 9)]).toEqual(wanted);
  const last = tensor(Float32Array.from(image.flatMap((value) => [value, 0, 1])), [1, 3, 3, 3]);
  expect([...smoothByMedian(last, window).data].filter((_, i) => i % 9 < 3)).toHaveLength(9);
});
