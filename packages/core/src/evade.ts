import { ball, type Ball, type BallNorm, type Box, stream, type Tensor, within } from '@gauntlet/tensor';
import type { Evasion, EvasionJob } from './attack.js';
import { GauntletError, unexpected } from './errors.js';
import type { Goal } from './goal.js';
import type { Access, Model, ModelFacts } from './model.js';
import { copied, pointAt, type Points, setPoint, shapeOf } from './points.js';
import type { Space } from './space.js';
import { findStarts, type Pool } from './starts.js';
import type { Trees } from './trees.js';
import { FINISHED, type Found, nothingFound, watch, type Watched } from './watch.js';

/** An evasion attack, its options, and the samples it is run on, in any space. */
export interface SpaceTask<S extends Space> {
  readonly attack: Evasion<S>;
  /** Validated by the attack's schema. */
  readonly options: unknown;
  readonly model: Model<Access, S['centre']>;
  /** The clean samples. */
  readonly x: S['centre'];
  /**
   * A model that the attack is run on instead, to the end and without a goal; `model` is asked about what comes back only. What is asked of
   * it is counted apart.
   */
  readonly surrogate?: Model<Access, S['centre']>;
  /**
   * Whether the attack is run on the surrogate with its goal instead, and what it finds there is tried on the model: static evaluation,
   * weaker than to the end, since what just breaks one model seldom breaks another.
   */
  readonly static?: boolean;
  /** Identify the samples' random streams, wherever they stand in a batch. */
  readonly ids: readonly (number | string)[];
  /** What each of them shall reach, one class per sample. */
  readonly goal: Goal;
  /** The model's answers on `x`. */
  readonly clean: Int32Array;
  /** The radius; an attack that finds the smallest runs without one, and points within this radius count. */
  readonly epsilon: number;
  /** The space of this radius around `x`. Samples that are finished need not be moved any more. */
  space(epsilon: number, finished: (sample: number) => boolean): S;
  /** The most queries for each sample, over all restarts; no limit by default. */
  readonly queries?: number | null;
  /** Clean samples and the model's answers on them, for attacks that walk back from one that reaches the goal. */
  readonly pool?: () => Promise<Pool<S['centre']>>;
  /** How many times samples that held are tried again, from other random numbers. */
  readonly restarts: number;
  readonly seed: number;
  /** Ends the run where it is aborted; what was found until then is lost. */
  readonly signal: AbortSignal;
}

/** The same in the ball of a norm, cut by a box. */
export interface EvasionTask extends Omit<SpaceTask<Ball>, 'space'> {
  /** Of the ball. */
  readonly norm: BallNorm;
  /** The values that inputs may take, in the units of `x`. */
  readonly box: Box;
}

/** What an evasion attack found, per sample. Where nothing reached the goal within epsilon, the clean input comes back. */
export interface Evaded<P extends Points = Tensor> extends Found<P> {
  /** Why nothing could be tried, for the samples of which that is so. */
  readonly failures: ReadonlyMap<number, string>;
  /** What a surrogate was asked, where there is one. */
  readonly crafting: Pick<Found, 'queries' | 'gradients'> | null;
}

/** Runs an attack against its goal: clips, looks at every answer, drops finished samples, restarts, and checks what comes back. */
export const evade = (task: EvasionTask): Promise<Evaded> => evadeIn({ ...task, space: ballsOf(task) });

const ballsOf =
  ({ norm, box, x: centre }: Pick<EvasionTask, 'norm' | 'box' | 'x'>): SpaceTask<Ball>['space'] =>
  (epsilon, finished) =>
    ball({ norm, epsilon, centre, box }, finished);

/** `evade`, in any space. */
export async function evadeIn<S extends Space>(task: SpaceTask<S>): Promise<Evaded<S['centre']>> {
  const { attack, x, clean, restarts, epsilon } = task;
  const found = nothingFound(x, clean);
  const failures = new Map<number, string>();
  const budget = task.queries ?? Infinity;
  const smallest = attack.finds === 'smallest';
  const active = (i: number) =>
    !(found.reached[i] && !smallest) && found.queries[i]! < budget && !failures.has(i);
  const crafted = nothingFound(x, clean);
  const anyone = () => found.reached.some((_, i) => active(i));

  // The ball of radius 0 is the input alone, which nobody needs to be asked about again.
  for (let restart = 0; epsilon > 0 && restart < restarts && anyone(); restart++) {
    const radius = smallest ? Infinity : epsilon;
    const around = task.space(radius, (i) => !active(i));
    const { access, finds } = attack;
    const noise = { keys: [task.seed, attack.id, around.norm, epsilon, restart], ids: task.ids };
    const model = task.model.draw?.(noise) ?? task.model;
    const judge = task.model.draw?.({ ...noise, keys: ['judge', ...noise.keys] });
    const common = { ...task, access, finds, ball: around, active };
    const watched = watch({ ...common, model, ...(judge && { judge }), found, budget });
    const onSurrogate = (surrogate: Model<Access, S['centre']>): Run<S> => {
      const drawn = surrogate.draw?.({ ...noise, keys: ['surrogate', ...noise.keys] }) ?? surrogate;
      crafted.reached.fill(0);
      crafted.distance.fill(Infinity);
      const free = {
        found: crafted,
        budget: Infinity,
        active: (i: number) => active(i) && !(crafted.reached[i] && !smallest),
      };
      const goal = task.static ? task.goal : null;
      return { ...run, ...free, watched: watch({ ...common, ...free, model: drawn, goal }) };
    };
    const run = { watched, around, restart, active, found, failures, budget };
    const last = await runOn(task, task.surrogate ? onSurrogate(task.surrogate) : run);
    const candidates = task.static ? foundOr(last, crafted) : last;
    if (candidates !== null && anyone()) {
      await watched.check(around.project?.(candidates) ?? candidates);
    }
  }
  if (smallest) forgetBeyond(epsilon, found, task);
  return { ...found, failures, crafting: task.surrogate === undefined ? null : crafted };
}

/** What was found, and where nothing was, the last points, if there are any. */
function foundOr<P extends Points>(last: P | null, { reached, points }: Found<P>): P {
  const all = copied(points);
  reached.forEach((hit, i) => {
    if (!hit && last !== null) setPoint(all, i, pointAt(last, i));
  });
  return all;
}

/** Lets those go that were found, but farther away than asked for. */
function forgetBeyond<P extends Points>(
  epsilon: number,
  found: Found<P>,
  { x, clean }: { readonly x: P; readonly clean: Int32Array },
): void {
  found.distance.forEach((far, i) => {
    if (far === Infinity || within(far, epsilon)) return;
    found.reached[i] = 0;
    found.labels[i] = clean[i]!;
    found.scores.delete(i);
    setPoint(found.points, i, pointAt(x, i));
  });
}

/**
 * Runs an attack as a source of training data: there is no goal, so nobody finishes early and nothing is replaced by the
 * original; what comes back is the attack's own last point, clipped to ball and box.
 *
 * @throws GauntletError `unsupported` for an attack that finds the smallest perturbation: it has no budget to spend.
 */
export async function maximise(
  task: Omit<EvasionTask, 'clean' | 'restarts' | 'queries' | 'pool'>,
): Promise<Tensor> {
  const { attack, x, goal } = task;
  if (attack.finds === 'smallest') {
    throw unexpected({
      found: 'attack that finds the smallest perturbation',
      at: attack.id,
      expected: 'one that uses its budget up',
      remedy: 'Craft training data with another attack, such as attack/pgd.',
      code: 'unsupported',
    });
  }
  const around = ballsOf(task)(task.epsilon, () => false);
  const found = nothingFound(x, goal.classes);
  const [active, budget] = [() => true, Infinity];
  const { access, finds } = attack;
  const watched = watch({ ...task, access, finds, goal: null, ball: around, found, active, budget });
  const run = { watched, around, restart: 0, active, found, failures: new Map(), budget };
  return around.project((await runOn(task, run)) ?? x);
}

interface Run<S extends Space> {
  readonly watched: Watched<Access, S['centre']>;
  readonly around: S;
  readonly restart: number;
  readonly active: (sample: number) => boolean;
  readonly found: Found<S['centre']>;
  readonly failures: Map<number, string>;
  readonly budget: number;
}

/** The attack's own last points; null if every sample was finished before it returned. */
async function runOn<S extends Space>(
  task: Omit<SpaceTask<S>, 'restarts' | 'space' | 'clean'>,
  run: Run<S>,
): Promise<S['centre'] | null> {
  const { attack, x, ids, goal, options, seed, signal } = task;
  const { watched, around, restart, active, found, budget } = run;
  const random = ids.map((id) => stream(seed, id, attack.id, around.epsilon, restart));
  const spent = found.queries.reduce((least, n, i) => (active(i) ? Math.min(least, n) : least), Infinity);
  const job: EvasionJob<Access, unknown, S> = {
    model: watched.model,
    x,
    goal,
    ball: around,
    options,
    random,
    signal,
    queries: budget - spent,
    active,
    starts: () => findStarts({ ...task, ...run, random }),
    trees: () => treesFor(attack, task.surrogate ?? task.model),
  };
  try {
    const points = await attack.run(job as EvasionJob<never, never, S>);
    if (shapeOf(points) === shapeOf(x)) return points;
    throw new GauntletError(
      'internal',
      `Unexpected shape [${shapeOf(points)}] returned by ${attack.id}, expected [${shapeOf(x)}]. Return one point per sample.`,
    );
  } catch (error) {
    if (error === FINISHED) return null;
    throw error;
  }
}

function treesFor(
  { id, reads }: Pick<Evasion, 'id' | 'reads'>,
  { name, trees }: Pick<ModelFacts, 'name' | 'trees'>,
): Trees {
  if (reads === 'trees' && trees !== undefined) return trees;
  throw unexpected({
    found: reads === 'trees' ? `model ${name} without trees` : 'call of trees',
    at: id,
    expected: 'a model made of trees, and an attack that declares to read them',
    remedy: 'Choose another model, or declare what the attack reads.',
    code: 'internal',
  });
}
