import type { BallNorm, Box } from './ball.js';
import { within } from './norm.js';
import type { Stream } from './random.js';
import { sparse } from './sparse.js';

// A lookup of a global costs more than the arithmetic where code runs in a realm of its own, as under jest.
const { abs, fround, log, max, min, sign, sqrt } = Math;

/** The rows of a batch from entry `from` up to, but without, entry `to`: every function below works on one of them, in place. */
export interface Geometry {
  /** Moves a row of `points` to the nearest place that is at most `epsilon` from the centre and in the box. */
  project(points: Float32Array, from: number, to: number): void;
  /** Moves a row by the step of length `length` that stays in the box and gains most along `gradient`, then projects it. */
  step(points: Float32Array, gradient: Float32Array, length: number, from: number, to: number): void;
  /** Moves a row to a place drawn uniformly from the ball around it. */
  sample(points: Float32Array, random: Stream, from: number, to: number): void;
}

/** A ball around each row: rows of `size` entries, one after another in `centre`. */
export interface Around {
  readonly epsilon: number;
  readonly centre: Float32Array;
  readonly size: number;
  readonly box: Box;
}

/** What differs between norms. These loops run between any two model calls, so they allocate little and call nothing per entry. */
export const GEOMETRY: Record<BallNorm, (around: Around) => Geometry> = {
  l0: sparse,

  linf({ epsilon, centre, box }) {
    // For each entry the largest value, then the smallest: the place of the one that a gradient of sign bit s pushes to is 2 i + s.
    const edges = new Float32Array(2 * centre.length);
    for (let i = 0; i < centre.length; i++) {
      edges[2 * i] = min(box[1], atMost(centre[i]! + epsilon));
      edges[2 * i + 1] = max(box[0], atLeast(centre[i]! - epsilon));
    }
    return {
      project(points, from, to) {
        for (let i = from; i < to; i++) points[i] = max(edges[2 * i + 1]!, min(edges[2 * i]!, points[i]!));
      },
      // Only the edge ahead can be passed. Branches on the sign or the edge would be mispredicted half of the time, which costs three
      // times as much as all the arithmetic.
      step(points, gradient, length, from, to) {
        const bits = new Int32Array(gradient.buffer, gradient.byteOffset, gradient.length);
        for (let i = from; i < to; i++) {
          const size = bits[i]! & 0x7fffffff;
          if (size === 0 || size > INFINITE) continue;
          const negative = bits[i]! >>> 31;
          const way = 1 - 2 * negative;
          const edge = edges[2 * i + negative]!;
          // How far beyond the edge the step leads; min(beyond, 0) is written without a branch.
          const beyond = (points[i]! + length * way - edge) * way;
          points[i] = edge + way * 0.5 * (beyond - abs(beyond));
        }
      },
      sample(points, random, from, to) {
        for (let i = from; i < to; i++) points[i] = points[i]! + epsilon * (2 * random.uniform() - 1);
      },
    };
  },

  l2(around) {
    const { epsilon, centre } = around;
    const { direction, caps, aim, place } = scratch(around, 'l2');
    const geometry: Geometry = {
      // The nearest point is clip(scale * delta), for the one scale up to 1 that brings the length down to epsilon.
      project(points, from, to) {
        const count = aim(points, centre, centre, from, to);
        const scale = scaleToLength(direction, caps, count, epsilon);
        for (let i = 0; scale < 1 && i < count; i++) direction[i] = direction[i]! * scale;
        place(points, from, count);
      },
      // The best step is clip(scale * gradient): what the box takes from one entry goes to the others.
      step(points, gradient, length, from, to) {
        const count = aim(gradient, null, points, from, to);
        const scale = scaleToLength(direction, caps, count, length);
        for (let i = 0; i < count; i++) {
          const d = direction[i]!;
          if (d !== 0) points[from + i] = points[from + i]! + cut(d * scale, caps[i]!);
        }
        geometry.project(points, from, to);
      },
      // A normal direction with the radius of a uniform point: u^(1/d).
      sample(points, random, from, to) {
        let squares = 0;
        for (let i = 0; i < to - from; i++) {
          direction[i] = random.normal();
          squares += direction[i]! ** 2;
        }
        const scale = (epsilon * random.uniform() ** (1 / (to - from))) / sqrt(squares);
        for (let i = from; i < to; i++) points[i] = points[i]! + direction[i - from]! * scale;
      },
    };
    return geometry;
  },

  l1(around) {
    const { epsilon, centre } = around;
    const { direction, caps, aim, place } = scratch(around, 'l1');
    const geometry: Geometry = {
      // The nearest point shrinks every entry by one threshold, then clips (Duchi et al. 2008, with a box).
      project(points, from, to) {
        const count = aim(points, centre, centre, from, to);
        const threshold = thresholdToLength(direction, caps, count, epsilon);
        for (let i = 0; threshold > 0 && i < count; i++) {
          const kept = abs(direction[i]!) - threshold;
          direction[i] = kept > 0 ? sign(direction[i]!) * kept : 0;
        }
        place(points, from, count);
      },
      // The best step spends its length on the entries of largest gradient, each as far as the box lets it go.
      step(points, gradient, length, from, to) {
        const count = aim(gradient, null, points, from, to);
        let left = length;
        for (const i of largestFirst(direction, caps, count)) {
          const spent = min(caps[i]!, left);
          points[from + i] = points[from + i]! + sign(direction[i]!) * spent;
          left -= spent;
          if (left <= 0) break;
        }
        geometry.project(points, from, to);
      },
      // Exponential spacings: d of d + 1 normalised exponentials are uniform in the simplex; signs make it the ball.
      sample(points, random, from, to) {
        const exponential = () => -log(1 - random.uniform());
        let sum = exponential();
        for (let i = 0; i < to - from; i++) {
          direction[i] = exponential();
          sum += direction[i]!;
        }
        for (let i = from; i < to; i++) {
          const part = (direction[i - from]! / sum) * epsilon;
          points[i] = points[i]! + (random.uniform() < 0.5 ? -part : part);
        }
      },
    };
    return geometry;
  },
};

/** Room to work on one row: where it wants to go, and how far the box lets each entry go that way. */
function scratch({ epsilon, centre, size, box: [lo, hi] }: Around, norm: 'l1' | 'l2') {
  const direction = new Float64Array(size);
  const caps = new Float64Array(size);
  return {
    direction,
    caps,
    /** Fills both from `to - from` entries of `ends - starts`, as seen from `at`. What is not finite counts as no wish. */
    aim(ends: Float32Array, starts: Float32Array | null, at: Float32Array, from: number, to: number): number {
      for (let i = from; i < to; i++) {
        const d = starts === null ? ends[i]! : ends[i]! - starts[i]!;
        // What is not finite does not vanish when subtracted from itself.
        direction[i - from] = d - d === 0 ? d : 0;
        caps[i - from] = d > 0 ? hi - at[i]! : at[i]! - lo;
      }
      return to - from;
    },
    /** Writes `centre + direction`, clipped; where float32 carries it out of the ball, each entry is rounded towards the centre. */
    place(points: Float32Array, from: number, count: number): void {
      let length = 0;
      for (let i = 0; i < count; i++) {
        points[from + i] = centre[from + i]! + cut(direction[i]!, caps[i]!);
        const d = points[from + i]! - centre[from + i]!;
        length += norm === 'l2' ? d * d : abs(d);
      }
      if (within(norm === 'l2' ? sqrt(length) : length, epsilon)) return;
      for (let i = 0; i < count; i++) {
        const exact = centre[from + i]! + cut(direction[i]!, caps[i]!);
        points[from + i] = direction[i]! > 0 ? atMost(exact) : atLeast(exact);
      }
    },
  };
}

/** The bits of infinity; those of what is not a number are larger. */
const INFINITE = 0x7f800000;

/** `value`, with its size cut to `cap`. */
const cut = (value: number, cap: number): number => (value > cap ? cap : value < -cap ? -cap : value);

/**
 * The scale for which the l2 length of `cut(scale * direction, caps)` is `length`; infinite where the caps do not allow that much.
 * Each round solves for the entries not cut yet; more are cut as the scale grows, so it ends after a few rounds.
 */
function scaleToLength(direction: Float64Array, caps: Float64Array, count: number, length: number): number {
  for (let scale = 0, round = 0; ; round++) {
    let free = 0;
    let fixed = 0;
    for (let i = 0; i < count; i++) {
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
function thresholdToLength(delta: Float64Array, caps: Float64Array, count: number, length: number): number {
  let lo = 0;
  let hi = Infinity;
  // Newton's method on a decreasing, piecewise linear function, held in a bracket.
  for (let threshold = 0, round = 0; round < 100; round++) {
    let sum = 0;
    let falling = 0;
    for (let i = 0; i < count; i++) {
      const kept = abs(delta[i]!) - threshold;
      if (kept > 0 && kept < caps[i]!) falling++;
      if (kept > 0) sum += min(kept, caps[i]!);
    }
    if (sum <= length) hi = threshold;
    else lo = threshold;
    if (sum <= length && (threshold === 0 || sum >= length * (1 - 1e-12))) break;
    if (hi === Infinity) {
      hi = 0;
      for (let i = 0; i < count; i++) hi = max(hi, abs(delta[i]!));
    }
    const newton = threshold + (sum - length) / falling;
    threshold = newton > lo && newton < hi ? newton : (lo + hi) / 2;
  }
  return hi;
}

/** The entries with room, by the size of their wish. Sorted in bands that halve, since most steps need no more than the first. */
function* largestFirst(direction: Float64Array, caps: Float64Array, count: number): Generator<number> {
  for (let limit = Infinity; limit > 0;) {
    let top = 0;
    for (let i = 0; i < count; i++) {
      const size = abs(direction[i]!);
      if (size > top && size <= limit && caps[i]! > 0) top = size;
    }
    const band: number[] = [];
    for (let i = 0; top > 0 && i < count; i++) {
      const size = abs(direction[i]!);
      if (size > top / 2 && size <= limit && caps[i]! > 0) band.push(i);
    }
    yield* band.sort((a, b) => abs(direction[b]!) - abs(direction[a]!) || a - b);
    limit = top / 2;
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
