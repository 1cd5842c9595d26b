import type { Goal } from '@gauntlet/core';
import { like, row, rows, stream, type Tensor, tensor } from '@gauntlet/tensor';

export const goalOf = (classes: Int32Array): Goal => ({ kind: 'untargeted', classes, confidence: 0 });

/** The Euclidean distance of two lists of numbers by the length of the second. */
export function relative(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  const size = (of: (i: number) => number) =>
    Math.sqrt(Array.from(wanted, (_, i) => of(i) ** 2).reduce((sum, square) => sum + square, 0));
  return size((i) => found[i]! - wanted[i]!) / size((i) => wanted[i]!);
}

/** One step of 0.1 along the gradient's signs, within [0, 1]. */
export const fgsm = (x: Tensor, gradient: Tensor): Tensor =>
  like(
    x,
    x.data.map((value, i) => Math.min(1, Math.max(0, value + 0.1 * Math.sign(gradient.data[i]!)))),
  );

/** How many pixels differ, but for those whose gradient is within 1e-6 of zero beside the row's largest. */
export function errorsOf(found: Tensor, wanted: Tensor, gradient: Tensor): number {
  let errors = 0;
  for (let i = 0; i < rows(wanted); i++) {
    const own = row(gradient, i);
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    own.forEach((slope, j) => {
      if (Math.abs(slope) > 1e-6 * largest && row(found, i)[j] !== row(wanted, i)[j]) errors++;
    });
  }
  return errors;
}

/** Images of noise, and labels. */
export function images(count: number): { readonly x: Tensor; readonly y: Int32Array } {
  const random = stream('images');
  const data = Float32Array.from({ length: count * 784 }, () => random.uniform());
  return { x: tensor(data, [count, 28, 28, 1]), y: Int32Array.from({ length: count }, (_, i) => i % 10) };
}
