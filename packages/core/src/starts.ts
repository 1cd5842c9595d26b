import { type Ball, distance, like, row, type Stream, take, type Tensor } from '@gauntlet/tensor';
import type { Goal } from './goal.js';
import type { Access } from './model.js';
import type { Found, Watched } from './watch.js';

/** Clean samples, and the model's answers on them. */
export interface Pool {
  readonly x: Tensor;
  readonly labels: Int32Array;
}

/** How many points of each source are tried for a sample. */
const FROM_POOL = 3;
const RANDOM = 25;

/** Why a sample could not be attacked. */
export const NO_START = 'no clean or random sample that reaches the goal was found to start from';

interface Task {
  readonly x: Tensor;
  readonly goal: Goal;
  readonly pool?: () => Promise<Pool>;
  readonly around: Ball;
  readonly watched: Watched<Access>;
  readonly random: readonly Stream[];
  readonly active: (sample: number) => boolean;
  readonly found: Found;
  /** Written to. */
  readonly failures: Map<number, string>;
}

/** A point per sample that reaches the goal, whatever its distance: the nearest clean samples are asked about first, then random ones. */
export async function findStarts(task: Task): Promise<Tensor> {
  const { x, around, watched, random, active, found, failures } = task;
  const [lo, hi] = around.box;
  const missing = () => [...found.reached.keys()].filter((i) => !found.reached[i] && active(i));
  const ask = async (of: readonly number[], pointOf: (sample: number) => ArrayLike<number>) => {
    if (of.length === 0) return;
    const call = take(x, of);
    of.forEach((sample, k) => row(call, k).set(pointOf(sample)));
    await watched.check(call, { of });
  };
  const pool = missing().length > 0 ? await task.pool?.() : undefined;
  const clean = new Map(missing().map((i) => [i, pool ? nearestIn(pool, i, task) : []]));
  for (let k = 0; k < FROM_POOL; k++) {
    const of = missing().filter((i) => clean.get(i)![k] !== undefined);
    await ask(of, (i) => clean.get(i)![k]!);
  }
  for (let k = 0; k < RANDOM; k++) {
    await ask(missing(), (i) => row(x, i).map(() => lo + (hi - lo) * random[i]!.uniform()));
  }
  for (const i of missing()) failures.set(i, NO_START);
  return like(x, found.points.data.slice());
}

/** The clean samples that should reach the goal of sample `i`, nearest first. */
function nearestIn(pool: Pool, i: number, { x, goal, around }: Task): Float32Array[] {
  return Array.from(pool.labels.keys())
    .filter((j) => (pool.labels[j] === goal.classes[i]) === (goal.kind === 'targeted'))
    .map((j) => row(pool.x, j))
    .map((point) => ({ point, far: distance(point, row(x, i), around.norm) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, FROM_POOL)
    .map(({ point }) => point);
}
