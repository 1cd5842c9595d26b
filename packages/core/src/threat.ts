import type { BallNorm } from '@gauntlet/tensor';
import type { Access } from './model.js';
import { count, radius } from './words.js';

/** How the target class of a targeted attack is chosen: one class for all, or per sample. */
export type Target = number | 'next' | 'random' | 'least-likely';

/** What the attacker wants, knows and may do. Every result belongs to one. */
export interface ThreatModel {
  readonly goal: { readonly kind: 'untargeted' } | { readonly kind: 'targeted'; readonly target: Target };
  /** By how much, in units of the scores, the goal must be reached. */
  readonly confidence: number;
  /** The most that the attacker may ask the model for. */
  readonly access: Access;
  /** How a perturbation is measured. */
  readonly norm: BallNorm;
  /** Radii of the ball, ascending, in the units of the samples; in l0, how many numbers of a sample may change. */
  readonly epsilons: readonly number[];
  /** The values that inputs may take, in the units of the samples. */
  readonly box: readonly [lo: number, hi: number];
  /** Names of other models that the attacker has. */
  readonly surrogates?: readonly string[];
  /** The most queries about each sample, by each attack at each epsilon; null: no limit. */
  readonly queries: number | null;
}

const KNOWS: Record<Access, string> = {
  gradients: 'knows the model and its gradients',
  scores: 'sees the score of every class',
  labels: 'sees the predicted label only',
  none: 'cannot ask the model',
};

const TARGETS = {
  next: 'the class after the true one',
  random: 'a random other class, fixed per sample',
  'least-likely': 'the class with the lowest score on the clean input',
};

/** The threat model in words, for people. */
export function describeThreat({
  goal,
  confidence,
  access,
  norm,
  epsilons,
  box,
  surrogates = [],
  queries,
}: ThreatModel): string {
  const aim =
    goal.kind === 'untargeted'
      ? 'wants any wrong class'
      : `wants ${typeof goal.target === 'number' ? `class ${goal.target}` : TARGETS[goal.target]}`;
  const lead = confidence > 0 ? ` by at least ${confidence} in score` : '';
  const radii = epsilons.map(radius).join(', ');
  const change =
    norm === 'l0'
      ? `change at most ${radii} of the numbers of each input`
      : `change each input by at most ${radii} in the ${norm} norm`;
  const limit = queries === null ? '' : `, with at most ${count(queries)} queries each`;
  const has = surrogates.length === 0 ? '' : `, has ${surrogates.join(', ')} to craft on`;
  return (
    `The attacker ${KNOWS[access]}${has}, ${aim}${lead}, and may ${change}, ` +
    `within [${box.join(', ')}]${limit}.`
  );
}
