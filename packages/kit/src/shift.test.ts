import { tensor } from '@gauntlet/tensor';
import { shifted, sumOfRows } from './index.js';

const x = tensor(Float32Array.of(0, 0.25, 0.5, 1), [2, 2]);
const noise = tensor(Float32Array.of(0.5, -0.5), [1, 2]);

it('adds one row to all, within the box if there is one', () => {
  expect([...shifted(x, noise).data]).toEqual([0.5, -0.25, 1, 0.5]);
  expect([...shifted(x, noise, [0, 0.75]).data]).toEqual([0.5, 0, 0.75, 0.5]);
  expect(shifted(x, noise).shape).toEqual([2, 2]);
});

it('sums rows, and leaves them as they were', () => {
  expect(sumOfRows(x)).toEqual(tensor(Float32Array.of(0.5, 1.25), [1, 2]));
  expect([...x.data]).toEqual([0, 0.25, 0.5, 1]);
});
