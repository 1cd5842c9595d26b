import type { Goal, Loss, Term } from '@gauntlet/core';

const GOAL = 'goal';

/**
 * Cross-entropy of the goal's class: to be left when untargeted, to be reached when targeted. An attack maximises it.
 *
 * It is written softplus(logSumExp(others) - own), which equals -log(softmax(scores)[own]). In this form its derivative keeps full
 * relative precision where the softmax rounds to 1, so confident models are attacked as well as hesitant ones.
 */
export const crossEntropy = (goal: Goal): Loss =>
  towards(goal, {
    op: 'softplus',
    of: {
      op: 'sub',
      of: [
        { op: 'logSumExpOther', class: GOAL },
        { op: 'pick', class: GOAL },
      ],
    },
  });

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
