import { argmax, type Ball, like, put, row, rows, take, type Tensor } from '@gauntlet/tensor';
import { GauntletError, unexpected } from './errors.js';
import { type Goal, reachedByLabels, reachedByScores } from './goal.js';
import type { Loss } from './loss.js';
import { type Access, allows, type GradientModel, type Model, type Of } from './model.js';

/** What became of each sample of a watched run. */
export interface Watched<A extends Access> {
  /** What the attack sees. */
  readonly model: Model<A>;
  /** Per sample: the point that did, and the model's answer on it; the clean input until then. */
  readonly found: { readonly points: Tensor; readonly labels: Int32Array };
  readonly queries: Int32Array;
  readonly gradients: Int32Array;
  /** Looks at one point per sample that still runs: an attack may return points that it never evaluated. */
  check(points: Tensor): Promise<void>;
}

/** Ends an attack's run from inside: every sample is finished. Only the engine catches it. */
export const FINISHED = Symbol('every sample is finished');

interface Task<A extends Access> {
  readonly model: Model<Access>;
  readonly access: A;
  readonly x: Tensor;
  readonly clean: Int32Array;
  /** What ends a sample; nothing, where it is null (crafting). */
  readonly goal: Goal | null;
  /** Where a point must lie to count. */
  readonly ball: Pick<Ball, 'contains'>;
  /** Per sample: whether a point in ball and box reached the goal, by an earlier restart or in this run. Written to. */
  readonly reached: Uint8Array;
  readonly signal: AbortSignal;
}

/**
 * A thin wrapper around the system under test: it offers the declared access and nothing more, counts per sample, and looks at
 * the answers of every call that the attack makes anyway. A point in ball and box that reaches the goal finishes its sample;
 * finished samples are left out of native calls (their last answers come back, with a zero gradient).
 */
export function watch<A extends Access>(task: Task<A>): Watched<A> {
  const { model, access, x, goal, ball, reached, signal } = task;
  const samples = rows(x);
  const queries = new Int32Array(samples);
  const gradients = new Int32Array(samples);
  const points = like(x, x.data.slice());
  const labels = task.clean.slice();
  const last = { scores: new Float32Array(samples * model.classes), loss: new Float32Array(samples) };

  /** The rows of a call whose samples still run, with their samples. */
  const running = (call: Tensor, of: readonly number[]) => {
    signal.throwIfAborted();
    const places = Array.from(of.keys()).filter((place) => goal === null || !reached[of[place]!]);
    if (places.length === 0) throw FINISHED;
    const whole = places.length === of.length;
    return {
      places,
      points: whole ? call : take(call, places),
      of: whole ? of : places.map((place) => of[place]!),
    };
  };

  const look = (
    call: Tensor,
    of: readonly number[],
    answers: Int32Array,
    hits: (goal: Goal) => boolean[],
  ) => {
    for (const sample of of) queries[sample]!++;
    if (goal === null) return;
    hits(goal).forEach((hit, i) => {
      const sample = of[i]!;
      if (!hit || reached[sample] || !ball.contains(row(call, i), sample)) return;
      reached[sample] = 1;
      row(points, sample).set(row(call, i));
      labels[sample] = answers[i]!;
    });
  };

  const remember = (scores: Tensor, of: readonly number[]) =>
    of.forEach((sample, i) => last.scores.set(row(scores, i), sample * model.classes));

  /** The answers of a call in full: fresh ones where the sample runs, the last ones where it is finished. */
  const scoresOf = (of: readonly number[]): Tensor =>
    take({ data: last.scores, shape: [samples, model.classes] }, of);

  const everyone = Array.from({ length: samples }, (_, i) => i);
  const sampleOf = (call: Tensor, of: Of | undefined) => {
    const result = of?.of ?? (rows(call) === samples ? everyone : undefined);
    if (result?.length === rows(call)) return result;
    throw new GauntletError(
      'internal',
      `Unexpected ${rows(call)} points at a model call, expected ${result?.length ?? samples}. Say with \`of\` which sample each point belongs to.`,
    );
  };

  const asked: GradientModel = {
    ...model,
    access,
    async labels(call, given) {
      const of = sampleOf(call, given);
      const live = running(call, of);
      const answers = await (model as Model<'labels'>).labels(live.points, live);
      look(live.points, live.of, answers, (g) => reachedByLabels(g, answers, live.of));
      const all = Int32Array.from(of, (sample) => labels[sample]!);
      live.places.forEach((place, i) => (all[place] = answers[i]!));
      return all;
    },
    async scores(call, given) {
      const of = sampleOf(call, given);
      const live = running(call, of);
      const scores = await (model as Model<'scores'>).scores(live.points, live);
      remember(scores, live.of);
      look(live.points, live.of, argmax(scores), (g) => reachedByScores(g, scores, live.of));
      return live.places.length === of.length ? scores : put(scoresOf(of), live.places, scores);
    },
    async gradient(call, loss: Loss, given) {
      const of = sampleOf(call, given);
      const live = running(call, of);
      const fresh = await (model as Model<'gradients'>).gradient(live.points, loss, live);
      remember(fresh.scores, live.of);
      live.of.forEach((sample, i) => {
        last.loss[sample] = fresh.loss[i]!;
        gradients[sample]!++;
      });
      look(live.points, live.of, argmax(fresh.scores), (g) => reachedByScores(g, fresh.scores, live.of));
      if (live.places.length === of.length) return fresh;
      const all = Float32Array.from(of, (sample) => last.loss[sample]!);
      live.places.forEach((place, i) => (all[place] = fresh.loss[i]!));
      return {
        scores: put(scoresOf(of), live.places, fresh.scores),
        loss: all,
        gradient: put(like(call), live.places, fresh.gradient),
      };
    },
  };

  return {
    model: wall(asked, access),
    found: { points, labels },
    queries,
    gradients,
    async check(call) {
      await (allows(model.access, 'scores') ? asked.scores(call) : asked.labels(call));
    },
  };
}

/** Only what the declared access allows; anything else is a sentence, not `undefined`. */
function wall<A extends Access>(model: GradientModel, access: A): Model<A> {
  const refuse = (verb: string) => () => {
    throw unexpected({
      found: `call of ${verb}`,
      at: `an attack that declares access '${access}'`,
      expected: 'only what it declares',
      remedy: 'Declare the access that the attack needs.',
      code: 'internal',
    });
  };
  return {
    ...model,
    labels: allows(access, 'labels') ? model.labels : refuse('labels'),
    scores: allows(access, 'scores') ? model.scores : refuse('scores'),
    gradient: allows(access, 'gradients') ? model.gradient : refuse('gradient'),
  } as Model<A>;
}
