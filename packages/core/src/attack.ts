import type { Ball, Stream } from '@gauntlet/tensor';
import type { Goal } from './goal.js';
import { type Access, allows, type Model, type ModelFacts } from './model.js';
import { type PluginFacts, seal } from './plugin.js';
import type { OptionsOf, Schema } from './schema.js';
import type { Space } from './space.js';
import type { Trees } from './trees.js';

/**
 * What an attack looks for: any point within the budget that reaches the goal, or the nearest one that there is. The first kind is run
 * at every epsilon, and a hit ends its sample. The second is run once, in the box alone, and the rows of every epsilon follow from the
 * nearest point that it came across.
 */
export type Finds = 'within-budget' | 'smallest';

/** What an evasion attack is handed for one batch of samples: tensors in norm balls, unless it names another space. */
export interface EvasionJob<A extends Access = Access, Options = unknown, S extends Space = Ball> {
  /**
   * The watched model: it offers the declared access, counts, and notices every point that reaches the goal. Finished samples (they
   * reached it, or spent their queries) are left out of its native calls, and a call for which nobody is left ends the run.
   */
  readonly model: Model<A, S['centre']>;
  /** The clean samples. */
  readonly x: S['centre'];
  /** What each sample shall reach, one class per sample. */
  readonly goal: Goal;
  /** Where perturbed samples may lie; without a radius (an infinite epsilon: of a ball, the box alone) for an attack that finds the smallest. */
  readonly ball: S;
  /** Validated by the attack's schema, defaults filled in. */
  readonly options: Options;
  /** One stream per sample, which belongs to it wherever it stands in the batch. */
  readonly random: readonly Stream[];
  /** Aborted where nobody waits any more; calls of the model then end the run by themselves. */
  readonly signal: AbortSignal;
  /** The most queries that a sample has left; Infinity where nothing limits them. */
  readonly queries: number;
  /** Whether a sample is still worth work: it is not finished. */
  active(sample: number): boolean;
  /**
   * For attacks that find the smallest and walk back from a point that reaches the goal already: one such point per sample, a clean
   * sample of another answer or a random one, asked about and counted. A sample for which there is none is finished, and its row says so.
   */
  starts(): Promise<S['centre']>;
  /** The model's trees, for attacks that declare to read them. */
  trees(): Trees;
}

/** An attack that perturbs inputs of a trained model. */
export interface Evasion<S extends Space = Ball> extends PluginFacts {
  readonly kind: 'evasion';
  /** The papers that it follows, as `arXiv:1706.06083` or `doi:10.1109/34.58871`. */
  readonly cites: readonly string[];
  /** The access it needs. */
  readonly access: Access;
  /** What it reads of the model itself, and runs on no model without: for that the attacker must know the model as for gradients. */
  readonly reads?: 'trees';
  /** The norms whose balls it works in, or the distances of its spaces. */
  readonly norms: readonly S['norm'][];
  /** A point within the budget, or the smallest perturbation. */
  readonly finds: Finds;
  /** Whether an audit that names no attack runs it: false for what takes thousands of queries. True by default. */
  readonly byDefault?: boolean;
  /** Validates options, and gives their defaults and descriptions. */
  readonly options: Schema;
  /** The most that one run asks about one sample, what `starts` asks apart. Left out where its options do not bound it. */
  cost?(options: never): Cost;
  /** Candidates, shaped as `x`; the engine clips, checks and keeps the best of all points it saw, so the last iterate will do. */
  run(job: EvasionJob<never, never, S>): Promise<S['centre']>;
}

/** Points of one sample. */
export interface Cost {
  /** That are differentiated. */
  readonly gradients: number;
  /** That are asked about, those that are differentiated included. */
  readonly queries: number;
}

/**
 * Declares an evasion attack. The types of `model` and `options` in `run` follow from `access` and `options`; those of `x` and `ball` from the
 * space, where `run` names one.
 */
export function defineAttack<const A extends Access, O extends Schema, S extends Space = Ball>(
  attack: Omit<Evasion<S>, 'kind' | 'access' | 'options' | 'cost' | 'run'> & {
    readonly access: A;
    readonly options: O;
    /** As {@link Evasion.cost}. */
    cost?(options: OptionsOf<O>): Cost;
    /** As {@link Evasion.run}. */
    run(job: EvasionJob<A, OptionsOf<O>, S>): Promise<S['centre']>;
  },
) {
  return seal({ kind: 'evasion' as const, ...attack });
}

/** The access under which an attack may be run: who reads a model knows it. */
export const accessOf = ({ access, reads }: Pick<Evasion, 'access' | 'reads'>): Access =>
  reads === undefined ? access : 'gradients';

/** Whether a model offers what an attack needs. */
export const runsOn = (
  { access, reads }: Pick<Evasion, 'access' | 'reads'>,
  model: Pick<ModelFacts, 'access' | 'trees'>,
): boolean => allows(model.access, access) && (reads === undefined || model[reads] !== undefined);
