import { type Evaded, type Evasion, type EvasionTask } from '@gauntlet/core';
import { type BallNorm, row } from '@gauntlet/tensor';
import { linearToy, type Toy } from './toys.js';

/** How a check is run: the attack, its options, and a norm that it declares. */
export interface AttackSubject {
  readonly attack: Evasion;
  readonly options: unknown;
  readonly norm: BallNorm;
}

/** An untargeted run on a toy, at the median distance of the linear toy. */
export const task = (subject: AttackSubject, toy: Toy, more: Partial<EvasionTask> = {}): EvasionTask => ({
  ...subject,
  model: toy.model,
  x: toy.x,
  ids: [...toy.y.keys()],
  goal: { kind: 'untargeted', classes: toy.y, confidence: 0 },
  clean: toy.y,
  epsilon: typicalEpsilon(subject.norm),
  box: toy.box,
  restarts: 1,
  seed: 0,
  signal: new AbortController().signal,
  ...more,
});

/** Half of the linear toy's samples can be broken within it, and no boundary is exactly that far. */
export function typicalEpsilon(norm: BallNorm): number {
  const toy = linearToy();
  const distances = Array.from(toy.y, (_, i) => toy.distance(i, norm)).sort((a, b) => a - b);
  const middle = distances.length >> 1;
  return (distances[middle - 1]! + distances[middle]!) / 2;
}

export const count = (reached: Uint8Array) => reached.reduce((sum, hit) => sum + hit, 0);
export const same = (a: Float32Array, b: Float32Array) =>
  a.length === b.length && a.every((value, i) => value === b[i]);
export const sameFor = (a: Evaded, i: number, b: Evaded, j: number) =>
  same(row(a.points, i), row(b.points, j));
