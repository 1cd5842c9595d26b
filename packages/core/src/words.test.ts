import { duration, radius } from './words.js';

it.each([
  [0, '0.0 s'],
  [99.94, '99.9 s'],
  [100, '2 min'],
  [3600, '60 min'],
  [36_000, '10.0 h'],
])('%p seconds are %p', (value, expected) => {
  expect(duration(value)).toBe(expected);
});

it.each([
  [8 / 255, '8/255'],
  [0.2, '0.2'],
  [51 / 255, '0.2'],
  [1, '1'],
  [0, '0'],
  [0.123_456_7, '0.123457'],
])('a radius of %p is %p', (epsilon, text) => {
  expect(radius(epsilon)).toBe(text);
});
