import { planesOf } from './index.js';

it.each([
  [[3, 4, 5], [3, 4, 5], (k: number, i: number, j: number) => 20 * k + 5 * i + j],
  [[4, 5, 3], [3, 4, 5], (k: number, i: number, j: number) => 15 * i + 3 * j + k],
  [[4, 5], [1, 4, 5], (_: number, i: number, j: number) => 5 * i + j],
  [[7], [1, 1, 7], (_: number, __: number, j: number) => j],
  [[2, 3, 4, 5], [1, 1, 120], (_: number, __: number, j: number) => j],
])('reads %p as %p', (shape, sizes, at) => {
  const planes = planesOf(shape);
  const { channels, height, width } = planes;
  expect([channels, height, width]).toEqual(sizes);
  const [k, i, j] = [channels - 1, height - 1, width - 1];
  expect(planes.at(k, i, j)).toBe(at(k, i, j));
  expect(planes.at(k, i, j)).toBe(channels * height * width - 1);
});
