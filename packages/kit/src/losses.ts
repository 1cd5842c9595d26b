import type { Goal, Loss, Term } from '@gauntlet/core';

const GOAL = 'goal';

const AGAINST: Term = {
  op: 'sub',
  of: [
    { op: 'logSumExpOther', class: GOAL },
    { op: 'pick', class: GOAL },
  ],
};

/**
 * The log-odds against the goal's class, logSumExp(others) - own: what a gradient attack climbs.
 *
 * Cross-entropy is softplus of it, so both have one direction of steepest ascent, and an attack whose steps have a fixed length takes
 * the same ones. But the gradient of cross-entropy vanishes with the softmax's saturation (it is exactly zero in float32 from a lead
 * of about 104), and attacks that climb it stand still on confident models: the classic false robustness. This one never vanishes.
 */
export const logOdds = (goal: Goal): Loss => towards(goal, AGAINST);

/**
 * Cross-entropy of the goal's class, -log(softmax(scores)[own]), written softplus(logSumExp(others) - own): its derivative keeps full
 * relative precision where the softmax rounds to 1.
 */
export const crossEntropy = (goal: Goal): Loss => towards(goal, { op: 'softplus', of: AGAINST });

/** By how much the best other class leads the goal's class (Carlini and Wagner 2017, f6 without the clip); its negative when targeted. */
export const margin = (goal: Goal): Loss =>
  towards(goal, {
    op: 'sub',
    of: [
      { op: 'maxOther', class: GOAL },
      { op: 'pick', class: GOAL },
    ],
  });

/** A loss that grows as the goal comes nearer, from a term that grows as the goal's class is left. */
const towards = ({ kind, classes }: Goal, leaving: Term): Loss => ({
  term: kind === 'untargeted' ? leaving : { op: 'neg', of: leaving },
  classes: { [GOAL]: classes },
  given: {},
});
