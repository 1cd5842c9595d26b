import fc from 'fast-check';
import { type BallNorm, ball, distance, IN_BALL, row, stream, tensor } from './index.js';

const D = 12;
const values = (lo: number, hi: number) =>
  fc.array(fc.float({ min: Math.fround(lo), max: Math.fround(hi), noNaN: true }), {
    minLength: D,
    maxLength: D,
  });
const batch = (numbers: number[]) => tensor(Float32Array.from(numbers), [1, numbers.length]);
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, v, i) => sum + v * b[i]!, 0);
const minus = (a: Float32Array, b: Float32Array) => Float64Array.from(a, (v, i) => v - b[i]!);

/** A radius within which D entries have room. */
const RADIUS: Record<BallNorm, number> = { linf: 0.1, l2: 0.4, l1: 0.4, l0: 3 };

describe.each<BallNorm>(['linf', 'l2', 'l1', 'l0'])('the %s ball', (norm) => {
  const boxes = [
    { box: [0, 1] as const, epsilons: [0, 0.01, 0.3, 2] },
    { box: [0, 255] as const, epsilons: [0, 8, 300] },
  ];

  it.each(boxes)('projects to the nearest point of ball and box, in $box', ({ box, epsilons }) => {
    fc.assert(
      fc.property(
        values(box[0], box[1]),
        values(box[0] - box[1], 2 * box[1]),
        fc.constantFrom(...epsilons),
        fc.integer(),
        (centre, from, epsilon, seed) => {
          const b = ball({ norm, epsilon, centre: batch(centre), box });
          const at = b.project(batch(from));
          expect(b.contains(at.data, 0)).toBe(true);
          const best = distance(at.data, from, 'l2');
          for (let trial = 0; trial < 20; trial++) {
            const other = b.sample([stream(seed, trial)]);
            expect(distance(other.data, from, 'l2')).toBeGreaterThanOrEqual(best * (1 - 1e-5) - 1e-5);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('samples inside, reproducibly, and spreads', () => {
    const centre = batch(Array(D).fill(0.5));
    const epsilon = norm === 'l0' ? 5 : 0.2;
    const b = ball({ norm, epsilon, centre, box: [0, 1] });
    const draws = Array.from({ length: 200 }, (_, i) => b.sample([stream('s', i)]));
    expect(draws.every((draw) => b.contains(draw.data, 0))).toBe(true);
    expect(b.sample([stream('s', 7)]).data).toEqual(draws[7]!.data);
    const mean = draws.reduce((sum, draw) => sum + distance(draw.data, centre.data, norm), 0) / draws.length;
    // E[radius] of a uniform point: epsilon * d / (d + 1); in l0 all that may change do.
    expect(mean).toBeCloseTo(norm === 'l0' ? epsilon : (epsilon * D) / (D + 1), 2);
  });

  it('samples some rows as it would among all, and measures from each', () => {
    const centre = tensor(
      Float32Array.from({ length: 3 * D }, (_, i) => (i % 7) / 7),
      [3, D],
    );
    for (const epsilon of [0.2, Infinity]) {
      const b = ball({ norm, epsilon, centre, box: [0, 1] });
      const all = b.sample([0, 1, 2].map((i) => stream('some', i)));
      const some = b.sample([stream('some', 2), stream('some', 0)], [2, 0]);
      expect([row(some, 0), row(some, 1)]).toEqual([row(all, 2), row(all, 0)]);
      expect(b.distance(row(all, 2), 2)).toBe(distance(row(all, 2), row(centre, 2), norm));
    }
  });

  it('takes the step that gains most, even from saturated pixels', () => {
    fc.assert(
      fc.property(values(0, 1), values(-1, 1), fc.integer(), (centre, gradient, seed) => {
        const saturated = batch(centre.map((v, i) => (i % 2 ? Math.round(v) : v)));
        const b = ball({ norm, epsilon: RADIUS[norm], centre: saturated, box: [0, 1] });
        const gain = (at: Float32Array) => dot(gradient, minus(at, saturated.data));
        const best = gain(b.step(saturated, batch(gradient), 1).data);
        for (let trial = 0; trial < 20; trial++) {
          expect(gain(b.sample([stream(seed, trial)]).data)).toBeLessThanOrEqual(best + 1e-5);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('reaches the closed form of a linear loss: epsilon times the dual norm of the gradient, in l0 its largest entries to the edge', () => {
    const gradient = batch(Array.from({ length: D }, (_, i) => Math.sin(i + 1)));
    const centre = batch(Array(D).fill(0));
    const epsilon = RADIUS[norm];
    const at = ball({ norm, epsilon, centre, box: [-9, 9] }).step(centre, gradient, 1);
    const dual = { linf: 'l1', l2: 'l2', l1: 'linf' } as const;
    const sizes = [...gradient.data].map(Math.abs).sort((a, b) => b - a);
    const best =
      norm === 'l0'
        ? 9 * (sizes[0]! + sizes[1]! + sizes[2]!)
        : epsilon * distance(gradient.data, centre.data, dual[norm]);
    expect(dot(gradient.data, at.data)).toBeCloseTo(best, 6);
  });

  it.each([1e-30, 1, 1e30])('steps alike whatever the size of the gradient (%p)', (size) => {
    const centre = batch(Array(D).fill(0.5));
    const gradient = (scale: number) => batch(Array.from({ length: D }, (_, i) => Math.cos(i) * scale));
    const b = ball({ norm, epsilon: 0.1, centre, box: [0, 1] });
    expect(
      distance(b.step(centre, gradient(size), 1).data, b.step(centre, gradient(1), 1).data, 'linf'),
    ).toBeLessThan(1e-6);
  });

  it.each([0, NaN])('does not move along a gradient of %p', (g) => {
    const centre = batch(Array(D).fill(0.5));
    const b = ball({ norm, epsilon: 0.1, centre, box: [0, 1] });
    expect(b.step(centre, batch(Array(D).fill(g)), 1).data).toEqual(centre.data);
  });

  it('gives the input back at epsilon 0 and leaves finished rows alone', () => {
    const centre = tensor(
      Float32Array.from({ length: 2 * D }, (_, i) => i / 50),
      [2, D],
    );
    const gradient = tensor(new Float32Array(2 * D).fill(1), [2, D]);
    const none = ball({ norm, epsilon: 0, centre, box: [0, 1] });
    expect(none.step(centre, gradient, 1).data).toEqual(centre.data);
    const half = ball({ norm, epsilon: RADIUS[norm], centre, box: [0, 1] }, (i) => i === 1);
    const moved = half.step(centre, gradient, 1);
    expect(row(moved, 0)).not.toEqual(row(centre, 0));
    expect(row(moved, 1)).toEqual(row(centre, 1));
  });

  it('refuses what is outside ball or box', () => {
    const centre = batch(Array(D).fill(0.5));
    const b = ball({ norm, epsilon: norm === 'l0' ? 1 : 0.1, centre, box: [0, 0.55] });
    const off = (by: number, also = 0) => batch([0.5 - by, 0.5 - also, ...Array(D - 2).fill(0.5)]);
    expect(b.contains(off(0.1).data, 0)).toBe(true);
    expect(b.contains(off(0.1, 0.01).data, 0)).toBe(norm === 'linf');
    expect(b.contains(off(0.1 + 10 * IN_BALL.absolute).data, 0)).toBe(norm === 'l0');
    expect(b.contains(off(-0.06).data, 0)).toBe(false);
  });
});
