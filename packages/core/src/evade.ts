import {
  ball,
  type Ball,
  type BallNorm,
  type Box,
  like,
  row,
  rows,
  type Stream,
  stream,
  type Tensor,
} from '@gauntlet/tensor';
import type { Evasion, EvasionJob } from './attack.js';
import { GauntletError } from './errors.js';
import type { Goal } from './goal.js';
import type { Access, Model } from './model.js';
import { FINISHED, watch, type Watched } from './watch.js';

/** An evasion attack, its options, and the budget and samples it is run on. */
export interface EvasionTask {
  readonly attack: Evasion;
  /** Validated by the attack's schema. */
  readonly options: unknown;
  readonly model: Model<Access>;
  readonly x: Tensor;
  /** Identify the samples' random streams, wherever they stand in a batch. */
  readonly ids: readonly (number | string)[];
  readonly goal: Goal;
  /** The model's answers on `x`. */
  readonly clean: Int32Array;
  readonly norm: BallNorm;
  readonly epsilon: number;
  readonly box: Box;
  /** How many times samples that held are tried again, from other random numbers. */
  readonly restarts: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** What an evasion attack found, per sample. */
export interface Evaded {
  readonly reached: Uint8Array;
  /** The point that reached the goal; the clean input where none did. */
  readonly points: Tensor;
  /** The model's answers on `points`. */
  readonly labels: Int32Array;
  readonly queries: Int32Array;
  readonly gradients: Int32Array;
}

/** Runs an attack against its goal: clips, looks at every answer, drops finished samples, restarts, and checks what comes back. */
export async function evade(task: EvasionTask): Promise<Evaded> {
  const { x, clean, restarts } = task;
  const reached = new Uint8Array(rows(x));
  const total: Evaded = {
    reached,
    points: like(x, x.data.slice()),
    labels: clean.slice(),
    queries: new Int32Array(rows(x)),
    gradients: new Int32Array(rows(x)),
  };
  // The ball is the input alone, which nobody needs to be asked about again.
  if (task.epsilon === 0) return total;
  for (let restart = 0; restart < restarts && reached.includes(0); restart++) {
    const before = reached.slice();
    const around = ball({ ...task, centre: x }, (i) => reached[i] === 1);
    const watched = watch({ ...task, access: task.attack.access, ball: around, reached });
    const candidates = await runOn(task, watched, around, restart);
    if (candidates !== null && reached.includes(0)) await watched.check(around.project(candidates));
    for (let i = 0; i < reached.length; i++) {
      total.queries[i]! += watched.queries[i]!;
      total.gradients[i]! += watched.gradients[i]!;
      if (before[i] || !reached[i]) continue;
      row(total.points, i).set(row(watched.found.points, i));
      total.labels[i] = watched.found.labels[i]!;
    }
  }
  return total;
}

/**
 * Runs an attack as a source of training data: there is no goal, so nobody finishes early and nothing is replaced by the
 * original; what comes back is the attack's own last point, clipped to ball and box.
 */
export async function maximise(task: Omit<EvasionTask, 'clean' | 'restarts'>): Promise<Tensor> {
  const { x, goal } = task;
  const around = ball({ ...task, centre: x });
  const watched = watch({
    ...task,
    access: task.attack.access,
    goal: null,
    clean: goal.classes,
    ball: around,
    reached: new Uint8Array(rows(x)),
  });
  const points = await runOn(task, watched, around, 0);
  return around.project(points ?? x);
}

/** The attack's own last points; null if every sample was finished before it returned. */
async function runOn(
  task: Omit<EvasionTask, 'clean' | 'restarts'>,
  watched: Watched<Access>,
  around: Ball,
  restart: number,
): Promise<Tensor | null> {
  const { attack, x, ids, goal, options, seed, epsilon, signal } = task;
  const random: Stream[] = ids.map((id) => stream(seed, id, attack.id, epsilon, restart));
  const job: EvasionJob = { model: watched.model, x, goal, ball: around, options, random, signal };
  try {
    const points = await attack.run(job as EvasionJob<never, never>);
    if (points.data.length === x.data.length) return points;
    throw new GauntletError(
      'internal',
      `Unexpected shape [${points.shape}] returned by ${attack.id}, expected [${x.shape}]. Return one point per sample.`,
    );
  } catch (error) {
    if (error === FINISHED) return null;
    throw error;
  }
}
