import { tensor } from '@gauntlet/tensor';
import { chunks } from './batches.js';

const points = (rows: number) =>
  tensor(
    Float32Array.from({ length: rows * 2 }, (_, i) => i),
    [rows, 2],
  );
const shown = (rows: number, most: number, exact: boolean) =>
  chunks(points(rows), most, exact).map(({ from, count, points: { data, shape } }) => [
    from,
    count,
    shape[0],
    ...data,
  ]);

describe('chunks', () => {
  it('leaves a batch that fits as it is', () => {
    const whole = points(3);
    expect(chunks(whole, 5, false)[0]!.points).toBe(whole);
    expect(chunks(whole, 3, true)[0]!.points).toBe(whole);
  });

  it.each([
    [0, 4, false, []],
    [
      3,
      2,
      false,
      [
        [0, 2, 2, 0, 1, 2, 3],
        [2, 1, 1, 4, 5],
      ],
    ],
    [
      2,
      1,
      true,
      [
        [0, 1, 1, 0, 1],
        [1, 1, 1, 2, 3],
      ],
    ],
    [
      3,
      2,
      true,
      [
        [0, 2, 2, 0, 1, 2, 3],
        [2, 1, 2, 4, 5, 4, 5],
      ],
    ],
    [1, 3, true, [[0, 1, 3, 0, 1, 0, 1, 0, 1]]],
  ])('cuts %p rows into runs of %p (exactly: %p)', (rows, most, exact, expected) => {
    expect(shown(rows, most, exact)).toEqual(expected);
  });
});
