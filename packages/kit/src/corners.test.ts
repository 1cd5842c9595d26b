import { IN_BALL, stream, tensor } from '@gauntlet/tensor';
import { corners } from './corners.js';

const random = stream('corners');
const x = tensor(
  Float32Array.from({ length: 400 }, (_, i) => 10 ** -(i % 8) * random.uniform()),
  [4, 100],
);

it.each([1e-6, 1e-4, 0.03, 0.5])('hold between them what counts as within %p, and little more', (epsilon) => {
  const [lower, upper] = corners(x, epsilon, [-10, 10]);
  const reach = epsilon * (1 + IN_BALL.relative) + IN_BALL.absolute;
  x.data.forEach((value, i) => {
    expect(lower.data[i]).toBeLessThanOrEqual(value - reach);
    expect(upper.data[i]).toBeGreaterThanOrEqual(value + reach);
    expect(upper.data[i]! - lower.data[i]!).toBeLessThan(2 * reach + 1e-6);
  });
});

it('lie in the box', () => {
  const [lower, upper] = corners(x, 0.5, [0, 1]);
  expect(Math.min(...lower.data)).toBe(0);
  expect(Math.max(...upper.data)).toBe(1);
});
