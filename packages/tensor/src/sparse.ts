import type { Around, Geometry } from './geometry.js';
import { IN_BALL } from './norm.js';

// A lookup of a global costs more than the arithmetic where code runs in a realm of its own, as under jest.
const { floor, max, min } = Math;

/** The l0 ball: at most epsilon entries of a row differ from the centre, by anything that the box allows. */
export function sparse({ epsilon, centre, size, box: [lo, hi] }: Around): Geometry {
  const gains = new Float64Array(size);
  const geometry: Geometry = {
    // The nearest point keeps those changes, clipped to the box, that bring it nearest, and takes the others back.
    project(points, from, to) {
      for (let i = from; i < to; i++) {
        const wish = points[i]!;
        points[i] = wish - wish === 0 ? max(lo, min(hi, wish)) : centre[i]!;
        const gain = max(0, (wish - centre[i]!) ** 2 - (wish - points[i]!) ** 2);
        gains[i - from] = points[i] === centre[i] ? NONE : gain;
      }
      for (const i of largest(gains, size).slice(entries(epsilon))) points[from + i] = centre[from + i]!;
    },
    // The best step takes the entries that gain most all the way to the edge of the box: one, at the least.
    step(points, gradient, length, from, to) {
      const edge = (i: number) => (gradient[from + i]! > 0 ? hi : lo);
      for (let i = from; i < to; i++) {
        const gain = gradient[i]! * (edge(i - from) - points[i]!);
        gains[i - from] = gain > 0 && gain < Infinity ? gain : NONE;
      }
      const count = length > 0 ? max(1, entries(length)) : 0;
      for (const i of largest(gains, size).slice(0, count)) points[from + i] = edge(i);
      geometry.project(points, from, to);
    },
    // Anything goes in the entries that may change.
    sample(points, random, from, to) {
      const places = Array.from({ length: to - from }, (_, i) => i);
      for (let k = 0; k < min(entries(epsilon), size); k++) {
        const other = k + random.integer(size - k);
        [places[k], places[other]] = [places[other]!, places[k]!];
        points[from + places[k]!] = lo + (hi - lo) * random.uniform();
      }
    },
  };
  return geometry;
}

/** How many entries an l0 length is, by the published tolerance. */
const entries = (length: number): number => floor(length * (1 + IN_BALL.relative) + IN_BALL.absolute);

/** The gain of an entry that does not take part. */
const NONE = -1;

/** The places of gains, the largest first. */
const largest = (gains: Float64Array, count: number): number[] =>
  Array.from({ length: count }, (_, i) => i)
    .filter((i) => gains[i] !== NONE)
    .sort((a, b) => gains[b]! - gains[a]! || a - b);
