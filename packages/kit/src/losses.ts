import type { Goal, Loss, Term } from '@gauntlet/core';
import type { Tensor } from '@gauntlet/tensor';

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

/**
 * Cross-entropy of softmax(scores / temperature) against distributions over the classes, [n, classes] (Hinton et al. 2015): one-hot rows
 * are labels, a softmax at the same temperature is what another model thinks.
 */
export const softCrossEntropy = (target: Tensor, temperature: number): Loss => ({
  term: { op: 'softCrossEntropy', target: 'target', temperature },
  classes: {},
  given: {},
  targets: { target },
});

/** The scores, weighted by a number for each class: its gradient is the pullback of these numbers. */
export const weighted = (weights: Tensor): Loss => ({
  term: { op: 'weighted', target: 'weights' },
  classes: {},
  given: {},
  targets: { weights },
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

/** The losses by the names that users give them. */
export const LOSSES = {
  /** {@link crossEntropy} */
  'cross-entropy': crossEntropy,
  /** {@link logOdds} */
  'log-odds': logOdds,
  margin,
} as const;

/** By how much one class leads another, both given for each point. */
export const lead = (one: readonly number[], other: readonly number[]): Loss => ({
  term: {
    op: 'sub',
    of: [
      { op: 'pick', class: 'one' },
      { op: 'pick', class: 'other' },
    ],
  },
  classes: { one: Int32Array.from(one), other: Int32Array.from(other) },
  given: {},
});

/**
 * The difference of logits ratio (Croce and Hein 2020, equations 6 and 7): the margin, divided by a difference of sorted scores, so that neither
 * a shift nor a scale of the scores changes it. With too few classes for that (under 3, targeted under 4) it is the margin.
 */
export function differenceOfLogitsRatio(goal: Goal, classes: number): Loss {
  const { term, ...values } = margin(goal);
  const ranked = (place: number): Term => ({ op: 'ranked', place });
  const half = constant(0.5);
  const third: Term =
    goal.kind === 'untargeted'
      ? ranked(2)
      : { op: 'mul', of: [half, { op: 'add', of: [ranked(2), ranked(3)] }] };
  if (classes < (goal.kind === 'untargeted' ? 3 : 4)) return { term, ...values };
  return { term: { op: 'div', of: [term, { op: 'sub', of: [ranked(0), third] }] }, ...values };
}

/**
 * How far the goal is, in units of the scores: max(confidence - margin, 0), zero where it is reached (Carlini and Wagner 2017, f6).
 * A distance: what is to be made small.
 */
export function hinge(goal: Goal): Loss {
  const { term, ...values } = margin(goal);
  const short: Term = { op: 'sub', of: [constant(goal.confidence), term] };
  return { term: { op: 'relu', of: short }, ...values };
}

/** A loss, but no more than a cap: from there on its gradient is zero. */
export const atMost = ({ term, ...values }: Loss, cap: number): Loss => ({
  term: { op: 'sub', of: [constant(cap), { op: 'relu', of: { op: 'sub', of: [constant(cap), term] } }] },
  ...values,
});

const constant = (value: number): Term => ({ op: 'constant', value });

/** A loss that grows as the goal comes nearer, from a term that grows as the goal's class is left. */
const towards = ({ kind, classes }: Goal, leaving: Term): Loss => ({
  term: kind === 'untargeted' ? leaving : { op: 'neg', of: leaving },
  classes: { [GOAL]: classes },
  given: {},
});
