import type { Ball, BallNorm, Box, Stream, Tensor } from '@gauntlet/tensor';
import type { Cost, Evasion } from './attack.js';
import type { Goal } from './goal.js';
import type { Access, Model } from './model.js';
import { type PluginFacts, seal } from './plugin.js';
import type { OptionsOf, Schema } from './schema.js';
import type { Tensors } from './training.js';

/** Samples, and what each shall reach. */
export interface FitBatch {
  /** [n, ...shape], in the box. */
  readonly x: Tensor;
  /** One class per sample. */
  readonly goal: Goal;
}

/** The samples to fit on: no row is made of them. */
export interface FitData {
  /** How many there are. */
  readonly samples: number;
  /** All of them once, in batches of this size (the last may be smaller), in an order that is fresh in every pass. */
  pass(size: number): AsyncIterable<FitBatch>;
}

/** What a universal attack is handed to fit on. */
export interface FitJob<A extends Access = Access, Options = unknown> {
  /** It offers the declared access and counts. Nothing is finished early, and every point of a call is answered. */
  readonly model: Model<A>;
  readonly data: FitData;
  /** Where perturbations may lie: the ball around one row of zeros, from `lo - hi` to `hi - lo`. */
  readonly ball: Ball;
  /** The values that samples may take. */
  readonly box: Box;
  readonly options: Options;
  readonly random: Stream;
  readonly signal: AbortSignal;
}

/** What a universal attack is handed to perturb samples that it never saw. */
export interface ApplyJob<Options = unknown> {
  /** What `fit` gave, or a copy of it. */
  readonly artifact: Tensors;
  /** [n, ...shape], in the box. */
  readonly x: Tensor;
  readonly options: Options;
  /** One stream per sample, for attacks that draw where or how the artifact is applied. */
  readonly random: readonly Stream[];
}

/**
 * An attack that fits one artifact on some samples, such as a perturbation or a patch, and applies it to any others. An audit runs it where it is named
 * only, since samples must be set apart for it.
 */
export interface Universal extends PluginFacts {
  readonly kind: 'universal';
  /** The papers that it follows, as `arXiv:1712.09665`. */
  readonly cites: readonly string[];
  /** The access it needs to fit. */
  readonly access: Access;
  /** The norms whose balls it works in. */
  readonly norms: readonly BallNorm[];
  readonly finds: 'within-budget';
  /** Whether `apply` draws from `random`: a sample counts as broken where most of several draws break it. False by default. */
  readonly random?: boolean;
  readonly options: Schema;
  /** The most that one fit asks about one of its samples. Left out where its options do not bound it. */
  cost?(options: never): Cost;
  /** The artifact: tensors by name, all finite, from which alone `apply` works. */
  fit(job: FitJob<never, never>): Promise<Tensors>;
  /** Candidates, shaped as `x`, each from its own row alone; the engine clips them to ball and box. */
  apply(job: ApplyJob<never>): Tensor;
}

/** An attack that an audit can run. */
export type Attack = Evasion | Universal;

/** Declares a universal attack. The types of `model` and `options` follow from `access` and `options`. */
export function defineUniversal<const A extends Access, O extends Schema>(
  attack: Omit<Universal, 'kind' | 'finds' | 'access' | 'options' | 'cost' | 'fit' | 'apply'> & {
    readonly access: A;
    readonly options: O;
    /** As {@link Universal.cost}. */
    cost?(options: OptionsOf<O>): Cost;
    /** As {@link Universal.fit}. */
    fit(job: FitJob<A, OptionsOf<O>>): Promise<Tensors>;
    /** As {@link Universal.apply}. */
    apply(job: ApplyJob<OptionsOf<O>>): Tensor;
  },
) {
  return seal({ kind: 'universal' as const, finds: 'within-budget' as const, ...attack });
}
