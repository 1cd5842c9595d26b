import { argmax, put, row, take, type Tensor } from '@gauntlet/tensor';
import type { Finds } from './attack.js';
import { GauntletError } from './errors.js';
import { type Goal, reachedByLabels, reachedByScores } from './goal.js';
import { type Loss, lossAt } from './loss.js';
import { ABSTAIN, type Access, allows, factsOf, type GradientModel, type Model, type Of } from './model.js';
import { copied, count, pick, placed, pointAt, type Points, setPoint, zeros } from './points.js';
import type { Space } from './space.js';
import { wall } from './wall.js';

/** What is known of each sample. Runs write to it, one after another. */
export interface Found<P extends Points = Tensor> {
  /** Whether a point in the space reached the goal. */
  readonly reached: Uint8Array;
  /** That point (the nearest, where the attack finds the smallest); the clean input until then. */
  readonly points: P;
  /** The model's answers on `points`; ABSTAIN where it gives none, as where its scores hold a NaN. */
  readonly labels: Int32Array;
  /** Its scores on `points`, one number per class, of the samples that reached the goal; empty where it gives none. */
  readonly scores: Map<number, Float32Array>;
  /** How far `points` are from the clean input, by the distance of the space; infinite until then. */
  readonly distance: Float64Array;
  readonly queries: Int32Array;
  readonly gradients: Int32Array;
  /** Of a random model: in how many of how many draws `points` reached the goal. Draws are counted apart from queries. */
  readonly votes: { readonly reached: Int32Array; readonly draws: Int32Array };
}

/** How often a random model is asked anew before a point counts as a hit. */
export const DRAWS = 20;

/** Nothing found yet, nothing asked. */
export const nothingFound = <P extends Points>(x: P, clean: Int32Array): Found<P> => ({
  reached: new Uint8Array(clean.length),
  points: copied(x),
  labels: clean.slice(),
  scores: new Map(),
  distance: new Float64Array(clean.length).fill(Infinity),
  queries: new Int32Array(clean.length),
  gradients: new Int32Array(clean.length),
  votes: { reached: new Int32Array(clean.length), draws: new Int32Array(clean.length) },
});

/** A watched run. */
export interface Watched<A extends Access, P extends Points = Tensor> {
  /** What the attack sees. */
  readonly model: Model<A, P>;
  /** Looks at points that the attack need not have evaluated. */
  check(points: P, of?: Of): Promise<void>;
}

/** Ends an attack's run from inside: every sample is finished. Only the engine catches it. */
export const FINISHED = Symbol('every sample is finished');

interface Task<A extends Access, P extends Points> {
  readonly model: Model<Access, P>;
  /** The same model with noise of its own, where it is random: it says whether a hit stands. */
  readonly judge?: Model<Access, P>;
  readonly access: A;
  readonly finds: Finds;
  /** What a sample must reach; nothing, where it is null (crafting). */
  readonly goal: Goal | null;
  /** Where a point must lie to count. */
  readonly ball: Pick<Space<P>, 'contains' | 'distance'>;
  readonly found: Found<P>;
  /** Whether anything shall still be asked about a sample. */
  readonly active: (sample: number) => boolean;
  /** The most queries for each sample. */
  readonly budget: number;
  readonly signal: AbortSignal;
}

/**
 * A thin wrapper around the system under test: it offers the declared access and nothing more, counts per sample, and looks at
 * the answers of every call that the attack makes anyway. Points in the space that reach the goal are kept: the first, or the
 * nearest where the attack finds the smallest. Where the model is random, they stand if they reach it in most of several fresh draws; where a
 * detector guards it, if they are accepted. Samples that are not active any more are left out of native calls (their last answers
 * come back, with a zero gradient).
 */
export function watch<A extends Access, P extends Points>(task: Task<A, P>): Watched<A, P> {
  const { model, judge, access, finds, goal, ball, found, active, budget, signal } = task;
  const samples = found.reached.length;
  const everyone = Array.from({ length: samples }, (_, i) => i);
  const last = {
    labels: found.labels.slice(),
    scores: new Float32Array(samples * model.classes),
    loss: new Float32Array(samples),
  };

  /** The rows of a call whose samples still run, with their samples; what a sample asks beyond its budget is left out. */
  const running = (call: P, of: readonly number[]) => {
    signal.throwIfAborted();
    const asked = found.queries.slice();
    const places = Array.from(of.keys()).filter((place) => {
      const sample = of[place]!;
      return active(sample) && asked[sample]!++ < budget;
    });
    if (places.length === 0 && !everyone.some(active)) throw FINISHED;
    const whole = places.length === of.length;
    return {
      places,
      points: whole ? call : pick(call, places),
      of: whole ? of : places.map((place) => of[place]!),
    };
  };

  /** Which of the points at some places of a call count, beside reaching the goal once. */
  const stands = async (call: P, of: readonly number[], places: readonly number[]) => {
    if (places.length === 0 || (judge === undefined && model.accepts === undefined)) return places;
    const points = pick(call, places);
    const own = { of: places.map((place) => of[place]!) };
    const accepted = (await (judge ?? model).accepts?.(points, own)) ?? places.map(() => true);
    const reached = new Int32Array(places.length);
    for (let draw = 0; judge !== undefined && draw < DRAWS; draw++) {
      signal.throwIfAborted();
      const answers = await (judge as Model<'labels', P>).labels(points, own);
      reachedByLabels(goal!, answers, own.of).forEach((hit, i) => (reached[i]! += Number(hit)));
    }
    return places.filter((_, i) => {
      if (judge !== undefined) found.votes.draws[own.of[i]!]! += DRAWS;
      const confirmed = judge === undefined || 2 * reached[i]! > DRAWS;
      if (confirmed && accepted[i] === true) found.votes.reached[own.of[i]!] = reached[i]!;
      return confirmed && accepted[i] === true;
    });
  };

  /** Counts a call that was answered, and keeps the points of it that reach the goal. */
  const look = async (call: P, of: readonly number[], known: Known) => {
    for (const sample of of) found.queries[sample]!++;
    if (goal === null) return;
    const far = (place: number) => ball.distance(pointAt(call, place), of[place]!);
    const better = (place: number) => {
      const sample = of[place]!;
      if (finds === 'within-budget' && found.reached[sample]) return false;
      return ball.contains(pointAt(call, place), sample) && far(place) < found.distance[sample]!;
    };
    const all = Array.from(of.keys());
    // Where a point lies is asked after whether it hits, which is cheaper; votes are dearer still.
    const tried = isVoted(known) ? all.filter(better) : all;
    const { labels, scores } = await answersAt(call, of, tried, known);
    const hit =
      scores === undefined || model.votes === true
        ? reachedByLabels(goal, labels, of)
        : reachedByScores(goal, scores, of);
    const places = tried.filter((place) => hit[place] && better(place));
    for (const place of await stands(call, of, places)) {
      // Another point of the same sample may have come before, in this very call.
      if (!better(place)) continue;
      const sample = of[place]!;
      found.reached[sample] = 1;
      found.distance[sample] = far(place);
      const own = scores && row(scores, place);
      const answer = labels[place]!;
      found.labels[sample] = answer;
      if (own !== undefined && answer !== ABSTAIN) found.scores.set(sample, own.slice());
      setPoint(found.points, sample, pointAt(call, place));
    }
  };

  const lookAtScores = async (call: P, of: readonly number[], scores: Tensor) => {
    const answers = argmax(scores);
    of.forEach((sample, i) => {
      last.scores.set(row(scores, i), sample * model.classes);
      last.labels[sample] = answers[i]!;
    });
    await look(call, of, { labels: answers, scores });
    return answers;
  };

  /** Whether the scores of a call do not tell the answers. */
  const isVoted = ({ scores }: Known) => model.votes === true && scores !== undefined;

  /** The answers that decide at some places of a call: of a model that votes its labels, which the scores do not tell. */
  const answersAt = async (call: P, of: readonly number[], places: readonly number[], known: Known) => {
    if (!isVoted(known) || places.length === 0) return known;
    const own = { of: places.map((place) => of[place]!) };
    const voted = await (model as Model<'labels', P>).labels(pick(call, places), own);
    const labels = known.labels.slice();
    places.forEach((place, i) => (labels[place] = voted[i]!));
    return { ...known, labels };
  };

  /** The answers of a call in full: fresh ones where the sample runs, the last ones where it is finished. */
  const scoresOf = (of: readonly number[]): Tensor =>
    take({ data: last.scores, shape: [samples, model.classes] }, of);

  const sampleOf = (call: P, of: Of | undefined) => {
    const result = of?.of ?? (count(call) === samples ? everyone : undefined);
    if (result?.length === count(call)) return result;
    throw new GauntletError(
      'internal',
      `Unexpected ${count(call)} points at a model call, expected ${result?.length ?? samples}. Say with \`of\` which sample each point belongs to.`,
    );
  };

  const asked: GradientModel<P> = {
    ...factsOf(model),
    access,
    async labels(call, given) {
      const of = sampleOf(call, given);
      const live = running(call, of);
      const all = Int32Array.from(of, (sample) => last.labels[sample]!);
      if (live.places.length === 0) return all;
      let answers: Int32Array;
      if (allows(model.access, 'scores') && model.votes !== true) {
        // The attack sees labels only, but what counts as a hit is what others will find again.
        const scores = await (model as Model<'scores', P>).scores(live.points, live);
        answers = await lookAtScores(live.points, live.of, scores);
      } else {
        answers = await (model as Model<'labels', P>).labels(live.points, live);
        live.of.forEach((sample, i) => (last.labels[sample] = answers[i]!));
        await look(live.points, live.of, { labels: answers });
      }
      live.places.forEach((place, i) => (all[place] = answers[i]!));
      return all;
    },
    async scores(call, given) {
      const of = sampleOf(call, given);
      const live = running(call, of);
      if (live.places.length === 0) return scoresOf(of);
      const scores = await (model as Model<'scores', P>).scores(live.points, live);
      await lookAtScores(live.points, live.of, scores);
      return live.places.length === of.length ? scores : put(scoresOf(of), live.places, scores);
    },
    async gradient(call, loss: Loss, given) {
      const of = sampleOf(call, given);
      const live = running(call, of);
      const all = Float32Array.from(of, (sample) => last.loss[sample]!);
      if (live.places.length === 0) return { scores: scoresOf(of), loss: all, gradient: zeros(call) };
      const whole = live.places.length === of.length;
      const own = whole ? loss : lossAt(loss, live.places);
      const fresh = await (model as Model<'gradients', P>).gradient(live.points, own, live);
      live.of.forEach((sample, i) => {
        last.loss[sample] = fresh.loss[i]!;
        found.gradients[sample]!++;
      });
      await lookAtScores(live.points, live.of, fresh.scores);
      if (whole) return fresh;
      live.places.forEach((place, i) => (all[place] = fresh.loss[i]!));
      return {
        scores: put(scoresOf(of), live.places, fresh.scores),
        loss: all,
        gradient: placed(zeros(call), live.places, fresh.gradient),
      };
    },
  };

  return {
    model: wall(asked, access),
    async check(call, of) {
      const byScores = allows(model.access, 'scores') && model.votes !== true;
      await (byScores ? asked.scores(call, of) : asked.labels(call, of));
    },
  };
}

/** Answers to a call. */
interface Known {
  readonly labels: Int32Array;
  readonly scores?: Tensor;
}
