import { duration } from './words.js';

it.each([
  [0, '0.0 s'],
  [99.94, '99.9 s'],
  [100, '2 min'],
  [3600, '60 min'],
  [36_000, '10.0 h'],
])('%p seconds are %p', (value, expected) => {
  expect(duration(value)).toBe(expected);
});
