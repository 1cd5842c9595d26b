import type { BallNorm, Box } from './ball.js';
import type { Stream } from './random.js';

// A lookup of a global costs more than the arithmetic where code runs in a realm of its own, as under jest.
const { abs, fround, log, max, min, sign, sqrt } = Math;

/** The rows of a batch from entry `from` up to, but without, entry `to`: every function below works on one of them, in place. */
interface Geometry {
  /** Moves a row of `points` to the nearest place that is at most `epsilon` from the centre and in the box. */
  project(points: Float32Array, from: number, to: number): void;
  /** Moves a row by the step of length `length` that stays in the box and gains most along `gradient`. */
  ascend(points: Float32Array, gradient: Float32Array, length: number, from: number, to: number): void;
  /** Moves a row to a place drawn uniformly from the ball around it. */
  sample(points: Float32Array, random: Stream, from: number, to: number): void;
}

/** What differs between norms. These loops run between any two model calls, so they allocate little and call nothing per entry. */
export const GEOMETRY: Record<BallNorm, (epsilon: number, centre: Float32Array, box: Box) => Geometry> = {
  linf(epsilon, centre, box) {
    const lower = centre.map((c) => max(box[0], atLeast(c - epsilon)));
    const upper = centre.map((c) => min(box[1], atMost(c + epsilon)));
    return {
      project(points, from, to) {
        for (let i = from; i < to; i++) {
          const value = points[i]!;
          points[i] = value < lower[i]! ? lower[i]! : value > upper[i]! ? upper[i]! : value;
        }
      },
      // The sign is read from the bits, since a branch on it is mispredicted half of the time: this halves the loop's time.
      ascend(points, gradient, length, from, to) {
        const bits = new Int32Array(gradient.buffer, gradient.byteOffset, gradient.length);
        for (let i = from; i < to; i++) {
          const size = bits[i]! & 0x7fffffff;
          if (size !== 0 && size <= INFINITE) points[i] = points[i]! + length * (1 - 2 * (bits[i]! >>> 31));
        }
      },
      sample(points, random, from, to) {
        for (let i = from; i < to; i++) points[i] = points[i]! + epsilon * (2 * random.uniform() - 1);
      },
    };
  },

  l2(epsilon, centre, box) {
    const room = roomIn(box);
    return {
      // The nearest point is clip(scale * delta), for the one scale up to 1 that brings the length down to epsilon.
      project(points, from, to) {
        const delta = displacement(points, centre, from, to);
        const caps = delta.map((d, i) => room(centre[from + i]!, d));
        const scale = min(1, scaleToLength(delta, caps, epsilon));
        place(points, centre, from, to, (i) => cut(delta[i]! * scale, caps[i]!));
      },
      // The best step is clip(scale * gradient): what the box takes from one entry goes to the others.
      ascend(points, gradient, length, from, to) {
        const direction = normalised(gradient, from, to);
        const caps = direction.map((d, i) => room(points[from + i]!, d));
        const scale = scaleToLength(direction, caps, length);
        for (let i = 0; i < caps.length; i++) {
          const d = direction[i]!;
          if (d !== 0) points[from + i] = points[from + i]! + cut(d * scale, caps[i]!);
        }
      },
      // A normal direction with the radius of a uniform point: u^(1/d).
      sample(points, random, from, to) {
        const direction = new Float64Array(to - from).map(() => random.normal());
        const radius = epsilon * random.uniform() ** (1 / direction.length);
        const scale = radius / sqrt(direction.reduce((sum, d) => sum + d * d, 0));
        for (let i = from; i < to; i++) points[i] = points[i]! + direction[i - from]! * scale;
      },
    };
  },

  l1(epsilon, centre, box) {
    const room = roomIn(box);
    return {
      // The nearest point shrinks every entry by one threshold, then clips (Duchi et al. 2008, with a box).
      project(points, from, to) {
        const delta = displacement(points, centre, from, to);
        const caps = delta.map((d, i) => room(centre[from + i]!, d));
        const threshold = thresholdToLength(delta, caps, epsilon);
        place(points, centre, from, to, (i) => {
          const kept = max(abs(delta[i]!) - threshold, 0);
          return cut(sign(delta[i]!) * kept, caps[i]!);
        });
      },
      // The best step spends its length on the entries of largest gradient, each as far as the box lets it go.
      ascend(points, gradient, length, from, to) {
        let left = length;
        for (const i of steepestFirst(gradient, from, to, (i) => room(points[i]!, gradient[i]!) > 0)) {
          const g = gradient[i]!;
          const spent = min(room(points[i]!, g), left);
          points[i] = points[i]! + sign(g) * spent;
          left -= spent;
          if (left <= 0) return;
        }
      },
      // Exponential spacings: d of d + 1 normalised exponentials are uniform in the simplex; signs make it the ball.
      sample(points, random, from, to) {
        const exponential = () => -log(1 - random.uniform());
        const parts = new Float64Array(to - from).map(exponential);
        const sum = parts.reduce((total, part) => total + part, exponential());
        for (let i = from; i < to; i++) {
          points[i] = points[i]! + (random.uniform() < 0.5 ? -1 : 1) * (parts[i - from]! / sum) * epsilon;
        }
      },
    };
  },
};

/** The bits of infinity; those of what is not a number are larger. */
const INFINITE = 0x7f800000;

/** How far a value may go up (positive direction) or down in the box. */
const roomIn =
  ([lo, hi]: Box) =>
  (value: number, direction: number): number =>
    direction > 0 ? hi - value : direction < 0 ? value - lo : 0;

/** `value`, with its size cut to `cap`. */
const cut = (value: number, cap: number): number => (value > cap ? cap : value < -cap ? -cap : value);

function displacement(points: Float32Array, centre: Float32Array, from: number, to: number): Float64Array {
  const delta = new Float64Array(to - from);
  for (let i = from; i < to; i++) delta[i - from] = points[i]! - centre[i]!;
  return delta;
}

/** The gradient divided by its largest entry, which keeps the squares of tiny ones from vanishing. What is not a number is zero. */
function normalised(gradient: Float32Array, from: number, to: number): Float64Array {
  const direction = new Float64Array(to - from);
  let top = 0;
  for (let i = from; i < to; i++) {
    const g = gradient[i]!;
    direction[i - from] = g === g ? min(max(g, -LARGEST), LARGEST) : 0;
    top = max(top, abs(direction[i - from]!));
  }
  if (top > 0) for (let i = 0; i < direction.length; i++) direction[i] = direction[i]! / top;
  return direction;
}

const LARGEST = 2 ** 127;

/**
 * The scale for which the l2 length of `cut(scale * direction, caps)` is `length`; infinite where the caps do not allow that much.
 * Each round solves for the entries not cut yet; more are cut as the scale grows, so it ends after a few rounds.
 */
function scaleToLength(direction: Float64Array, caps: Float64Array, length: number): number {
  for (let scale = 0, round = 0; ; round++) {
    let free = 0;
    let fixed = 0;
    for (let i = 0; i < direction.length; i++) {
      const d = direction[i]!;
      const cap = caps[i]!;
      if (abs(d) * scale < cap) free += d * d;
      else fixed += cap * cap;
    }
    const next = sqrt(max(length * length - fixed, 0) / free);
    if (!(next > scale * (1 + 1e-12)) || round === 100) return free === 0 ? Infinity : max(scale, next);
    scale = next;
  }
}

/** The threshold for which the sum of `min(max(|delta| - threshold, 0), cap)` is `length`; 0 where it is smaller already. */
function thresholdToLength(delta: Float64Array, caps: Float64Array, length: number): number {
  let lo = 0;
  let hi = Infinity;
  // Newton's method on a decreasing, piecewise linear function, held in a bracket.
  for (let threshold = 0, round = 0; round < 100; round++) {
    let sum = 0;
    let falling = 0;
    for (let i = 0; i < delta.length; i++) {
      const kept = abs(delta[i]!) - threshold;
      if (kept > 0 && kept < caps[i]!) falling++;
      if (kept > 0) sum += min(kept, caps[i]!);
    }
    if (sum <= length) hi = threshold;
    else lo = threshold;
    if (sum <= length && (threshold === 0 || sum >= length * (1 - 1e-12))) break;
    if (hi === Infinity) hi = delta.reduce((top, d) => max(top, abs(d)), 0);
    const newton = threshold + (sum - length) / falling;
    threshold = newton > lo && newton < hi ? newton : (lo + hi) / 2;
  }
  return hi;
}

/** The open entries of a row by the size of their gradient. Most steps need the first few only, which are found without sorting. */
function* steepestFirst(
  gradient: Float32Array,
  from: number,
  to: number,
  open: (i: number) => boolean,
): Generator<number> {
  const taken = new Set<number>();
  while (taken.size < 8) {
    let best = -1;
    let top = 0;
    for (let i = from; i < to; i++) {
      const size = abs(gradient[i]!);
      if (size > top && open(i) && !taken.has(i)) [best, top] = [i, size];
    }
    if (best < 0) return;
    taken.add(best);
    yield best;
  }
  const rest: number[] = [];
  for (let i = from; i < to; i++) if (abs(gradient[i]!) > 0 && open(i) && !taken.has(i)) rest.push(i);
  yield* rest.sort((a, b) => abs(gradient[b]!) - abs(gradient[a]!) || a - b);
}

/** Writes `centre + delta`, each entry rounded towards the centre, so that float32 carries nothing out of the ball. */
function place(
  points: Float32Array,
  centre: Float32Array,
  from: number,
  to: number,
  delta: (i: number) => number,
): void {
  for (let i = from; i < to; i++) {
    const exact = centre[i]! + delta(i - from);
    points[i] = exact > centre[i]! ? atMost(exact) : atLeast(exact);
  }
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The next float32 in the given direction (+1 or -1). */
function neighbour(value: number, direction: 1 | -1): number {
  if (value === 0) return direction * 2 ** -149;
  float[0] = value;
  bits[0] = bits[0]! + (value > 0 ? direction : -direction);
  return float[0];
}

/** The largest float32 that is at most `value`. */
function atMost(value: number): number {
  const rounded = fround(value);
  return rounded > value ? neighbour(rounded, -1) : rounded;
}

/** The smallest float32 that is at least `value`. */
function atLeast(value: number): number {
  const rounded = fround(value);
  return rounded < value ? neighbour(rounded, 1) : rounded;
}
