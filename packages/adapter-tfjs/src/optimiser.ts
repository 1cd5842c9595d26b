import type { Optimiser } from '@gauntlet/core';

/** What an optimiser remembers of one weight, such as m and v. */
export type Memory = Readonly<Record<string, Float32Array>>;

/** Moves a weight against its gradient, in place of neither: gives the new weight, and what is remembered of it. `step` counts from 1. */
export type Move = (
  weight: Float32Array,
  gradient: Float32Array,
  memory: Memory,
  step: number,
) => { readonly weight: Float32Array; readonly memory: Memory };

const DECAY = { m: 0.9, v: 0.999 };
const EPSILON = 1e-8;

const blank = (like: Float32Array) => new Float32Array(like.length);

/**
 * Adam (Kingma and Ba 2015): m and v are moving averages of g and g^2; w moves by rate m^ / (sqrt(v^) + epsilon), where m^ = m / (1 - 0.9^t) and
 * v^ = v / (1 - 0.999^t).
 */
const adam =
  (rate: number): Move =>
  (weight, gradient, { m = blank(weight), v = blank(weight) }, step) => {
    const newM = m.map((value, i) => DECAY.m * value + (1 - DECAY.m) * gradient[i]!);
    const newV = v.map((value, i) => DECAY.v * value + (1 - DECAY.v) * gradient[i]! ** 2);
    const [length, spread] = [rate / (1 - DECAY.m ** step), 1 / Math.sqrt(1 - DECAY.v ** step)];
    const moved = weight.map(
      (value, i) => value - (length * newM[i]!) / (Math.sqrt(newV[i]!) * spread + EPSILON),
    );
    return { weight: moved, memory: { m: newM, v: newV } };
  };

/** Descent with momentum, as PyTorch has it: b = momentum b + g, w = w - rate b. */
const descent =
  (rate: number, momentum: number): Move =>
  (weight, gradient, { b = blank(weight) }) => {
    const newB = b.map((value, i) => momentum * value + gradient[i]!);
    return { weight: weight.map((value, i) => value - rate * newB[i]!), memory: { b: newB } };
  };

/** The rule of an optimiser. */
export const moveOf = (optimiser: Optimiser): Move =>
  optimiser.kind === 'adam' ? adam(optimiser.rate) : descent(optimiser.rate, optimiser.momentum);
