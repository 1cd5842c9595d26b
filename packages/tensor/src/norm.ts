// A lookup of a global costs more than the arithmetic where code runs in a realm of its own, as under jest.
const { abs, max, sqrt } = Math;

/** How the size of a perturbation is measured: how many entries change, sum, Euclidean, or largest. */
export type Norm = 'l0' | 'l1' | 'l2' | 'linf';

/** Every norm, in the order in which results list them. */
export const NORMS: readonly Norm[] = ['l0', 'l1', 'l2', 'linf'];

/** Folds absolute values, in float64, into a norm: `start`, then `step` per entry, then `end`. */
const FOLDS: Record<Norm, { step: (sum: number, value: number) => number; end: (sum: number) => number }> = {
  l0: { step: (sum, value) => sum + (value > 0 ? 1 : 0), end: (sum) => sum },
  l1: { step: (sum, value) => sum + value, end: (sum) => sum },
  l2: { step: (sum, value) => sum + value * value, end: sqrt },
  linf: { step: (sum, value) => max(sum, value), end: (sum) => sum },
};

/** The norm of a vector, in float64. */
export function norm(values: ArrayLike<number>, kind: Norm): number {
  const { step, end } = FOLDS[kind];
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum = step(sum, abs(values[i]!));
  return end(sum);
}

/** The norm of `a - b`, subtracted and measured in float64. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>, kind: Norm): number {
  const { step, end } = FOLDS[kind];
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum = step(sum, abs(a[i]! - b[i]!));
  return end(sum);
}

/** The tolerance of "in the ball": float64 distance at most `epsilon * (1 + relative) + absolute`. */
export const IN_BALL = { relative: 1e-6, absolute: 1e-7 };

/** Whether a float64 distance counts as at most `epsilon`. */
export const within = (measured: number, epsilon: number): boolean =>
  measured <= epsilon * (1 + IN_BALL.relative) + IN_BALL.absolute;
