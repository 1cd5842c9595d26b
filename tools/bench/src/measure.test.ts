import { interleaved, median } from './index.js';

it.each([
  [[3, 1, 2], 2],
  [[4, 1, 3, 2], 2.5],
  [[7], 7],
])('the median of %p is %p', (values, expected) => expect(median(values)).toBe(expected));

it('runs all work in turns', async () => {
  const wait = (ms: number) => () => new Promise((resolve) => setTimeout(resolve, ms));
  const { short, long } = await interleaved({ short: wait(5), long: wait(60) }, 3);
  expect(long / short).toBeGreaterThan(3);
});
