import { planesOf } from '@gauntlet/kit';
import { stream } from '@gauntlet/tensor';
import { type Looks, place, sideOf } from './placement.js';

const SQUARE: Looks = { shape: 'square', rotation: 0, scale: 1 };
const CIRCLE: Looks = { ...SQUARE, shape: 'circle' };

it.each([
  [SQUARE, 0.5, 28, 0],
  [SQUARE, 78, 28, 8],
  [SQUARE, 81, 28, 9],
  [SQUARE, 784, 28, 28],
  [SQUARE, 1e6, 28, 28],
  [CIRCLE, 78, 28, 9],
  [CIRCLE, 79, 28, 10],
])(
  'of the shape %p, a patch of %p pixels in an image of %p has sides of %p',
  ({ shape }, pixels, most, side) => {
    expect(sideOf(shape, pixels, most)).toBe(side);
  },
);

it('shows its texels in order, side by side, in every channel', () => {
  const planes = planesOf([2, 6, 7]);
  const seen = new Set<string>();
  for (let k = 0; k < 200; k++) {
    const { entries, from } = place(planes, 3, SQUARE, stream('place', k));
    const shown = new Map(from.map((texel, n) => [texel, entries[n]!]));
    const corner = shown.get(0)!;
    seen.add(String(corner));
    expect(shown.size).toBe(18);
    for (let texel = 0; texel < 18; texel++) {
      const [c, i, j] = [Math.floor(texel / 9), Math.floor((texel % 9) / 3), texel % 3];
      expect(shown.get(texel)).toBe(corner + c * 42 + i * 7 + j);
    }
  }
  // Every corner from which it fits.
  expect(seen.size).toBe(4 * 5);
});

it.each([
  [1, [56, 0, 63, 7]],
  [0, [7, 63, 0, 56]],
  [0.5, [0, 7, 56, 63]],
])('turns by its angle, drawn as %p of the way from left to right', (drawn, corners) => {
  // For the scale, the angle and the place.
  const draws = [0, drawn, 0.5, 0.5];
  const random = { ...stream(''), uniform: () => draws.shift()! };
  const { entries, from } = place(planesOf([8, 8]), 8, { ...SQUARE, rotation: 90 }, random);
  expect([0, 7, 56, 63].map((entry) => from[entries.indexOf(entry)])).toEqual(corners);
});

it.each<Looks>([
  { shape: 'square', rotation: 45, scale: 0.5 },
  { shape: 'circle', rotation: 180, scale: 0.7 },
  { shape: 'square', rotation: 180, scale: 1 },
])('stays within its area and the image, whatever its place: %p', (looks) => {
  const planes = planesOf([1, 20, 12]);
  const sizes: number[] = [];
  for (let k = 0; k < 300; k++) {
    const { entries, from } = place(planes, 7, looks, stream('size', k));
    const most = looks.shape === 'square' ? 49 : Math.floor((Math.PI / 4) * 49);
    expect(new Set(entries).size).toBe(entries.length);
    expect(entries.length).toBeLessThanOrEqual(most);
    expect(entries.every((entry) => entry >= 0 && entry < 240)).toBe(true);
    expect(from.every((texel) => texel >= 0 && texel < 49)).toBe(true);
    sizes.push(entries.length / most);
  }
  // Nothing is cut off but what rounding takes.
  expect(Math.min(...sizes)).toBeGreaterThan(0.85 * looks.scale ** 2 - 0.05);
  expect(Math.max(...sizes)).toBeGreaterThan(0.95);
});
