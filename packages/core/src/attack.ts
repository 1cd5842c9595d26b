import type { Ball, BallNorm, Stream, Tensor } from '@gauntlet/tensor';
import type { Goal } from './goal.js';
import type { Access, Model } from './model.js';
import { type PluginFacts, seal } from './plugin.js';
import type { OptionsOf, Schema } from './schema.js';

/** What an evasion attack is handed for one batch of samples. */
export interface EvasionJob<A extends Access = Access, Options = unknown> {
  /**
   * The watched model: it offers the declared access, counts, and notices every point that reaches the goal. Finished samples are
   * left out of its native calls, and a call for which nobody is left ends the run.
   */
  readonly model: Model<A>;
  /** The clean samples. */
  readonly x: Tensor;
  readonly goal: Goal;
  /** Where perturbed samples may lie. */
  readonly ball: Ball;
  readonly options: Options;
  /** One stream per sample, which belongs to it wherever it stands in the batch. */
  readonly random: readonly Stream[];
  readonly signal: AbortSignal;
}

/** An attack that perturbs inputs of a trained model within a ball. */
export interface Evasion extends PluginFacts {
  readonly kind: 'evasion';
  readonly cites: readonly string[];
  /** The access it needs. */
  readonly access: Access;
  /** The norms whose balls it works in. */
  readonly norms: readonly BallNorm[];
  readonly options: Schema;
  /** Candidates, shaped as `x`; the engine clips, checks and keeps the best, so the last iterate will do. */
  run(job: EvasionJob<never, never>): Promise<Tensor>;
}

/** Declares an evasion attack. The types of `model` and `options` in `run` follow from `access` and `options`. */
export function defineAttack<const A extends Access, S extends Schema>(
  attack: Omit<Evasion, 'kind' | 'access' | 'options' | 'run'> & {
    readonly access: A;
    readonly options: S;
    run(job: EvasionJob<A, OptionsOf<S>>): Promise<Tensor>;
  },
) {
  return seal({ kind: 'evasion' as const, ...attack });
}
