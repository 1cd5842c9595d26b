import type { BallNorm, Box } from './ball.js';
import { distance, IN_BALL, norm } from './norm.js';
import type { Stream } from './random.js';

/** What differs between norms. Every function works on one row and changes `point` in place. */
interface Geometry {
  /** Moves `point` to the nearest place that is at most `epsilon` from `centre` and in the box. */
  project(point: Float32Array, centre: Float32Array, epsilon: number, box: Box): void;
  /** Moves `point` by the step of length `length` that stays in the box and gains most along `gradient`. */
  ascend(point: Float32Array, gradient: Float32Array, length: number, box: Box): void;
  /** Moves `point` to a place drawn uniformly from the ball around it. */
  sample(point: Float32Array, epsilon: number, random: Stream): void;
}

const clip = (value: number, lo: number, hi: number) => Math.min(Math.max(value, lo), hi);

const LARGEST = 2 ** 127;

/** The gradient where it can be followed (an infinite one as a large one), zero where it is none or pushes out of the box. */
const open = (g: number, at: number, [lo, hi]: Box) =>
  (g > 0 && at < hi) || (g < 0 && at > lo) ? clip(g, -LARGEST, LARGEST) : 0;

export const GEOMETRY: Record<BallNorm, Geometry> = {
  linf: {
    project(point, centre, epsilon, [lo, hi]) {
      for (let i = 0; i < point.length; i++) {
        const c = centre[i]!;
        point[i] = clip(point[i]!, Math.max(lo, atLeast(c - epsilon)), Math.min(hi, atMost(c + epsilon)));
      }
    },
    ascend(point, gradient, length, [lo, hi]) {
      for (let i = 0; i < point.length; i++) {
        point[i] = clip(point[i]! + length * (Math.sign(gradient[i]!) || 0), lo, hi);
      }
    },
    sample(point, epsilon, random) {
      for (let i = 0; i < point.length; i++) point[i] = point[i]! + epsilon * (2 * random.uniform() - 1);
    },
  },

  l2: {
    // The nearest point is clip(scale * delta) for the one scale in [0, 1] that brings the length down to epsilon.
    project(point, centre, epsilon, box) {
      const delta = displacement(point, centre, box);
      const length = norm(delta, 'l2');
      const direction = length > epsilon ? Float64Array.from(point, (value, i) => value - centre[i]!) : delta;
      const scale = length > epsilon ? scaleToLength(direction, centre, epsilon, box) : 1;
      settle(point, centre, epsilon, box, 'l2', (i) => direction[i]! * scale);
    },
    // The best step is clip(scale * gradient): what the box takes from one entry goes to the others.
    ascend(point, gradient, length, box) {
      const direction = Float64Array.from(gradient, (g, i) => open(g, point[i]!, box));
      const top = norm(direction, 'linf');
      if (top === 0) return;
      // Dividing by the largest entry first keeps the squares of tiny gradients from vanishing.
      for (let i = 0; i < direction.length; i++) direction[i]! /= top;
      const scale = scaleToLength(direction, point, length, box);
      for (let i = 0; i < point.length; i++) point[i] = clip(point[i]! + direction[i]! * scale, ...box);
    },
    // A normal direction with the radius of a uniform point: u^(1/d).
    sample(point, epsilon, random) {
      const direction = Float64Array.from(point, () => random.normal());
      const radius = epsilon * random.uniform() ** (1 / point.length);
      const scale = radius / norm(direction, 'l2');
      for (let i = 0; i < point.length; i++) point[i] = point[i]! + direction[i]! * scale;
    },
  },

  l1: {
    // The nearest point shrinks every entry by one threshold, then clips (Duchi et al. 2008, with a box).
    project(point, centre, epsilon, box) {
      const delta = displacement(point, centre, box);
      if (norm(delta, 'l1') > epsilon) {
        const raw = Float64Array.from(point, (value, i) => value - centre[i]!);
        const shrunk = (i: number, threshold: number) =>
          clipDelta(Math.sign(raw[i]!) * Math.max(Math.abs(raw[i]!) - threshold, 0), centre[i]!, box);
        const threshold = bisect(0, norm(raw, 'linf'), (t) => {
          let sum = 0;
          for (let i = 0; i < raw.length; i++) sum += Math.abs(shrunk(i, t));
          return sum <= epsilon;
        });
        for (let i = 0; i < delta.length; i++) delta[i] = shrunk(i, threshold);
      }
      settle(point, centre, epsilon, box, 'l1', (i) => delta[i]!);
    },
    // The best step spends its length on the entries of largest gradient, each as far as the box lets it go.
    ascend(point, gradient, length, box) {
      const [lo, hi] = box;
      const order = Array.from(gradient.keys())
        .filter((i) => open(gradient[i]!, point[i]!, box) !== 0)
        .sort((a, b) => Math.abs(gradient[b]!) - Math.abs(gradient[a]!) || a - b);
      let left = length;
      for (const i of order) {
        if (left <= 0) return;
        const room = gradient[i]! > 0 ? hi - point[i]! : point[i]! - lo;
        const spent = Math.min(room, left);
        point[i] = clip(point[i]! + Math.sign(gradient[i]!) * spent, lo, hi);
        left -= spent;
      }
    },
    // Exponential spacings: d of d + 1 normalised exponentials are uniform in the simplex; signs make it the ball.
    sample(point, epsilon, random) {
      const exponential = () => -Math.log(1 - random.uniform());
      const parts = Float64Array.from(point, exponential);
      const sum = norm(parts, 'l1') + exponential();
      for (let i = 0; i < point.length; i++) {
        point[i] = point[i]! + (random.uniform() < 0.5 ? -1 : 1) * (parts[i]! / sum) * epsilon;
      }
    },
  },
};

const clipDelta = (delta: number, centre: number, [lo, hi]: Box) => clip(delta, lo - centre, hi - centre);

const displacement = (point: Float32Array, centre: Float32Array, box: Box) =>
  Float64Array.from(point, (value, i) => clipDelta(value - centre[i]!, centre[i]!, box));

/** The scale for which `clip(from + scale * direction)` lies `length` away from `from`, or the last one that still moves. */
function scaleToLength(direction: Float64Array, from: Float32Array, length: number, box: Box): number {
  const moved = (scale: number) => {
    let sum = 0;
    for (let i = 0; i < direction.length; i++) sum += clipDelta(direction[i]! * scale, from[i]!, box) ** 2;
    return Math.sqrt(sum);
  };
  // Nothing clipped is the usual case and has a closed form; otherwise the scale is larger than that.
  const unclipped = length / norm(direction, 'l2');
  if (!(moved(unclipped) < length * (1 - 1e-9))) return unclipped;
  let high = 2 * unclipped;
  let reach = moved(high);
  while (reach < length) {
    high *= 4;
    const next = moved(high);
    if (next === reach) return high;
    reach = next;
  }
  return bisect(unclipped, high, (scale) => moved(scale) > length);
}

/** The point between `lo` (where `holds` is false) and `hi` (where it is true) at which it begins to hold. */
function bisect(lo: number, hi: number, holds: (at: number) => boolean): number {
  for (let i = 0; i < 60 && hi - lo > 1e-12 * hi; i++) {
    const middle = (lo + hi) / 2;
    if (holds(middle)) hi = middle;
    else lo = middle;
  }
  return hi;
}

/** Writes `centre + delta` in float32 and, where rounding has carried it out of the ball, draws it back in. */
function settle(
  point: Float32Array,
  centre: Float32Array,
  epsilon: number,
  [lo, hi]: Box,
  kind: BallNorm,
  delta: (i: number) => number,
): void {
  for (let shrink = 1; ; shrink *= 1 - 2 ** -23) {
    for (let i = 0; i < point.length; i++) point[i] = clip(centre[i]! + delta(i) * shrink, lo, hi);
    if (distance(point, centre, kind) <= epsilon * (1 + IN_BALL.relative)) return;
  }
}

const bits = new DataView(new ArrayBuffer(4));

/** The next float32 in the given direction (+1 or -1). */
function neighbour(value: number, direction: 1 | -1): number {
  if (value === 0) return direction * 2 ** -149;
  bits.setFloat32(0, value);
  bits.setInt32(0, bits.getInt32(0) + (value > 0 ? direction : -direction));
  return bits.getFloat32(0);
}

/** The largest float32 that is at most `value`. */
function atMost(value: number): number {
  const rounded = Math.fround(value);
  return rounded > value ? neighbour(rounded, -1) : rounded;
}

/** The smallest float32 that is at least `value`. */
function atLeast(value: number): number {
  const rounded = Math.fround(value);
  return rounded < value ? neighbour(rounded, 1) : rounded;
}
