import { stream } from '@gauntlet/tensor';
import type { Tensor } from '@tensorflow/tfjs';
import type { Computed, Forward } from './forward.js';
import type { Tf } from './runtime.js';
import { firstLine } from './source.js';

/** More than kinks and rounding leave between a derivative and a difference, and less than any wrong gradient that is known of. */
const TOLERANCE = 0.05;
const POINTS = 6;
/** Lengths of steps, as shares of the box: the shorter, the fewer kinks lie between, and the more is lost to rounding. */
const STEPS = [1e-2, 1e-3, 3e-4, 1e-4, 3e-5];
/** Rounding of float32, with what adds up in a sum of scores. */
const ROUNDING = 5e-7;

/**
 * Compares the gradient of a model with differences of its scores along a random direction, at a few random points of the box.
 *
 * @param shape one sample's shape.
 * @returns null where they agree; otherwise a sentence that names the first layer or op whose gradient is wrong or missing.
 */
export function checkGradient(
  tf: Tf,
  { forward, parts }: Pick<Computed, 'forward' | 'parts'>,
  { shape, bounds }: { readonly shape: readonly number[]; readonly bounds: readonly [number, number] },
): string | null {
  const wrong = problemOf(tf, forward, shape, bounds);
  if (wrong === null) return null;
  const blame = parts().find((part) => problemOf(tf, part.forward, shape, bounds) !== null);
  const where = blame === undefined ? '' : ` at ${blame.what}`;
  return `The gradient of tfjs on the backend ${tf.getBackend()} is ${wrong}${where}.`;
}

function problemOf(
  tf: Tf,
  forward: Forward,
  shape: readonly number[],
  bounds: readonly [number, number],
): string | null {
  try {
    let error = Infinity;
    tf.tidy(() => void (error = errorOf(tf, forward, shape, bounds)));
    return error <= TOLERANCE ? null : 'wrong';
  } catch (cause) {
    return `missing (${firstLine(cause)})`;
  }
}

/** The median over points of the relative difference between derivative and difference quotient, at the best step; NaN counts as infinite. */
function errorOf(
  tf: Tf,
  forward: Forward,
  shape: readonly number[],
  [lo, hi]: readonly [number, number],
): number {
  const random = stream('gradient check', ...shape);
  const size = shape.reduce((product, n) => product * n, POINTS);
  const draw = (next: () => number) =>
    tf.tensor(Float32Array.from({ length: size }, next), [POINTS, ...shape]);
  const x = draw(() => lo + (hi - lo) * (0.1 + 0.8 * random.uniform()));
  const direction = draw(() => (random.uniform() < 0.5 ? lo - hi : hi - lo));
  const weigh = stream('gradient check, outputs');
  let weights: Tensor | undefined;
  /** One number per point: a random combination of all outputs. */
  const value = (points: Tensor): Tensor => {
    const flat = tf.reshape(forward(points), [POINTS, -1]);
    weights ??= tf.tensor2d(
      Float32Array.from({ length: flat.shape[1]! }, () => weigh.normal()),
      [flat.shape[1]!, 1],
    );
    return tf.reshape(tf.matMul(flat as never, weights as never), [POINTS]);
  };
  const values = value(x).dataSync();
  const gradient = tf.grad((points: Tensor) => tf.sum(value(points)))(x);
  const slopes = tf.sum(tf.reshape(tf.mul(gradient, direction), [POINTS, -1]), 1).dataSync<'float32'>();
  const largest = Math.max(...values.map(Math.abs));
  const typical = Math.sqrt(slopes.reduce((sum, slope) => sum + slope ** 2, 0) / POINTS);
  const noise = (step: number) => (ROUNDING * largest) / step;
  const clear = STEPS.filter((step) => noise(step) < (TOLERANCE * typical) / 2);
  // Where the scores hardly move, no step is long enough: then the longest, and what rounding makes of it.
  const steps = clear.length > 0 ? clear : [STEPS[0]!];
  const scale = Math.max(typical, noise(steps[0]!) / TOLERANCE) || 1;
  const errors = steps.map((step) => {
    const [after, before] = [1, -1].map((side) =>
      value(tf.add(x, tf.mul(direction, side * step))).dataSync(),
    );
    return Array.from(
      slopes,
      (slope, i) => Math.abs((after![i]! - before![i]!) / (2 * step) - slope) / scale,
    );
  });
  const best = Array.from(slopes, (_, i) => Math.min(...errors.map((each) => each[i]!)));
  return best.map((error) => (Number.isNaN(error) ? Infinity : error)).sort((a, b) => a - b)[POINTS >> 1]!;
}
