import { defineAttack, type EvasionJob, reachedByScores } from '@gauntlet/core';
import { evaluateLoss, logOdds } from '@gauntlet/kit';
import { z } from 'zod';
import { substituted, type Words } from './words.js';

/** A synonym for a word of a sample. */
interface Swap {
  readonly sample: number;
  readonly place: number;
  readonly word: string;
  /** How much it gains alone. */
  readonly gain: number;
}

/**
 * Greedy word substitution (after Ren et al. 2019, section 3.2). The best synonym of each word is the one that alone gains most towards the goal; words are replaced in
 * the order of their gains, until the goal is reached. Gains are of the log-odds, and not weighed by how salient a word is.
 */
export default defineAttack({
  id: 'attack/word-substitution',
  summary: 'Replaces words by synonyms, those that gain most first.',
  cites: ['doi:10.18653/v1/P19-1103'],
  access: 'scores',
  norms: ['words'],
  finds: 'smallest',
  options: z.strictObject({}),
  async run({ model, x, goal, ball, active }: EvasionJob<'scores', unknown, Words>) {
    const gainsOf = async (texts: readonly string[], of: readonly number[]) => {
      const own = { ...goal, classes: Int32Array.from(of, (i) => goal.classes[i]!) };
      return evaluateLoss(logOdds(own), await model.scores(texts, { of })).loss;
    };
    const clean = await gainsOf(x, [...x.keys()]);
    const swaps = x.flatMap((_, sample) =>
      ball.synonyms(sample).flatMap((all, place) => all.map((word) => ({ sample, place, word }))),
    );
    const texts = swaps.map(({ sample, place, word }) => substituted(x[sample]!, place, word));
    const alone = await gainsOf(
      texts,
      swaps.map(({ sample }) => sample),
    );
    const queues = x.map(() => [] as Swap[]);
    swaps.forEach((swap, k) => queues[swap.sample]!.push({ ...swap, gain: alone[k]! - clean[swap.sample]! }));
    const plans = queues.map(inOrder);
    const at = [...x];
    let running = [...x.keys()];
    for (let step = 0; running.length > 0; step++) {
      running = running.filter((i) => active(i) && plans[i]![step] !== undefined);
      for (const i of running) at[i] = substituted(at[i]!, plans[i]![step]!.place, plans[i]![step]!.word);
      const scores = await model.scores(
        running.map((i) => at[i]!),
        { of: running },
      );
      const reached = reachedByScores(goal, scores, running);
      running = running.filter((_, k) => !reached[k]);
    }
    return at;
  },
});

/** For each place the synonym that gains most, if it gains at all; the largest gain first. */
function inOrder(swaps: readonly Swap[]): readonly Swap[] {
  const sorted = swaps.filter(({ gain }) => gain > 0).sort((a, b) => b.gain - a.gain);
  return sorted.filter(({ place }, k) => sorted.findIndex((other) => other.place === place) === k);
}
