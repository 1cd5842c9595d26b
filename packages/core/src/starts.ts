import type { Stream, Tensor } from '@gauntlet/tensor';
import type { Goal } from './goal.js';
import type { Access } from './model.js';
import { copied, pick, type Point, pointAt, type Points, setPoint } from './points.js';
import type { Space } from './space.js';
import type { Found, Watched } from './watch.js';

/** Clean samples, and the model's answers on them. */
export interface Pool<P extends Points = Tensor> {
  readonly x: P;
  readonly labels: Int32Array;
}

/** How many points of each source are tried for a sample. */
const FROM_POOL = 3;
const RANDOM = 25;

/** Why a sample could not be attacked. */
export const NO_START = 'no clean or random sample that reaches the goal was found to start from';

interface Task<P extends Points> {
  readonly x: P;
  readonly goal: Goal;
  readonly pool?: () => Promise<Pool<P>>;
  readonly around: Space<P>;
  readonly watched: Watched<Access, P>;
  readonly random: readonly Stream[];
  readonly active: (sample: number) => boolean;
  readonly found: Found<P>;
  /** Written to. */
  readonly failures: Map<number, string>;
}

/** A point per sample that reaches the goal, whatever its distance: the nearest clean samples are asked about first, then random ones. */
export async function findStarts<P extends Points>(task: Task<P>): Promise<P> {
  const { x, around, watched, random, active, found, failures } = task;
  const missing = () => [...found.reached.keys()].filter((i) => !found.reached[i] && active(i));
  const ask = async (of: readonly number[], points: (of: readonly number[]) => P) => {
    if (of.length > 0) await watched.check(points(of), { of });
  };
  const pool = missing().length > 0 ? await task.pool?.() : undefined;
  const near = new Map(missing().map((i) => [i, pool ? nearestIn(pool, i, task) : []]));
  for (let k = 0; k < FROM_POOL; k++) {
    const some = missing().filter((i) => near.get(i)![k] !== undefined);
    await ask(some, (of) => {
      const call = pick(x, of);
      of.forEach((sample, place) => setPoint(call, place, near.get(sample)![k]!));
      return call;
    });
  }
  for (let k = 0; k < RANDOM && around.sample !== undefined; k++) {
    const draws = (of: readonly number[]) => of.map((i) => random[i]!);
    await ask(missing(), (of) => around.sample!(draws(of), of));
  }
  for (const i of missing()) failures.set(i, NO_START);
  return copied(found.points);
}

/** The clean samples that should reach the goal of sample `i`, nearest first. */
function nearestIn<P extends Points>(pool: Pool<P>, i: number, { goal, around }: Task<P>): Point<P>[] {
  return Array.from(pool.labels.keys())
    .filter((j) => (pool.labels[j] === goal.classes[i]) === (goal.kind === 'targeted'))
    .map((j) => pointAt(pool.x, j))
    .map((point) => ({ point, far: around.distance(point, i) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, FROM_POOL)
    .map(({ point }) => point);
}
