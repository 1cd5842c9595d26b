import type { BallNorm, Tensor } from '@gauntlet/tensor';
import type { Batch } from './dataset.js';
import { unexpected } from './errors.js';
import type { Loss } from './loss.js';
import type { Gradient, OpenModel } from './model.js';
import { type PluginFacts, seal } from './plugin.js';
import type { OptionsOf, Schema } from './schema.js';

/** How weights are moved against their gradient: Adam (Kingma and Ba 2015, with its usual decays) or descent with momentum. */
export type Optimiser =
  | { readonly kind: 'adam'; readonly rate: number }
  | { readonly kind: 'sgd'; readonly rate: number; readonly momentum: number };

/** Float32 tensors by the names of the weights that they belong to. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A model's weights at one moment, and what its optimiser remembers. */
export interface ModelState {
  readonly weights: Tensors;
  /** An optimiser without a memory starts anew. */
  readonly memory?: Tensors;
}

/**
 * The content of a weight in a state that is to be restored.
 *
 * @throws GauntletError `internal` for a state that lacks it.
 */
export function weightIn({ weights }: ModelState, name: string): Tensor {
  const found = weights[name];
  if (found !== undefined) return found;
  throw unexpected({
    found: `state without the weight "${name}"`,
    at: 'restore',
    expected: 'a state of the same model',
    remedy: 'Hand over what state() gave.',
    code: 'internal',
  });
}

/** What a hardened model file says about how it was made; keys and values of its metadata. */
export type Provenance = Readonly<Record<string, string>>;

/**
 * A model whose weights can be changed. It answers by its present weights, and holds native memory until it is closed. Statistics
 * of normalisation layers are no weights: they stay what the file says.
 */
export interface TrainableModel extends OpenModel<'gradients'> {
  /**
   * One step of the optimiser down the mean of the loss over the points: forward, backward to all weights and the update.
   * `scores` and `loss` are those before the step.
   */
  update(points: Tensor, loss: Loss): Promise<Omit<Gradient, 'gradient'>>;
  /** Copies of weights and memory, which later updates do not change. */
  state(): Promise<ModelState>;
  /** Goes back to a state that `state` gave. */
  restore(state: ModelState): Promise<void>;
  /** Fresh random weights, the same for the same seed, and an optimiser without memory. */
  initialise(seed: number): Promise<void>;
  /** Writes a model file that differs from the one opened in its weights and its provenance, whole or not at all. */
  save(path: string, provenance: Provenance): Promise<void>;
}

/** Samples to learn from, and where the training stands. */
export interface TrainingBatch extends Batch {
  /** Where the samples stand among those to learn from. */
  readonly places: readonly number[];
  /** How much of the stage is done, from 0 to 1. */
  readonly done: number;
  /**
   * The last points of the defence's attack on these samples, against the model as it is, in the ball of this radius
   * (see `maximise`). Random numbers are fresh in every epoch.
   */
  craft(epsilon: number): Promise<Tensor>;
}

/** What one update learns from: points, and a loss of theirs to be made small. */
export interface Lesson {
  /** [n, ...shape]. */
  readonly x: Tensor;
  /** One class per row of `x`. */
  readonly loss: Loss;
}

/** One pass of training, epochs long. */
export interface Stage {
  /** Unique within the defence: progress and checkpoints name it. */
  readonly name: string;
  /** Whether it starts from fresh random weights; otherwise from the present ones. */
  readonly fresh: boolean;
  /** Called for each batch of each epoch, in an order that is shuffled anew. It must depend on nothing but the batch and the model. */
  lesson(batch: TrainingBatch): Promise<Lesson>;
}

/** What a training defence is handed. */
export interface TrainingJob<Options = unknown> {
  readonly model: TrainableModel;
  /** The samples to learn from; those held out are not among them. */
  readonly data: {
    readonly samples: number;
    /** The samples at these places, from 0 up to but without `samples`, in the order asked for. */
    at(places: readonly number[]): Promise<Batch>;
  };
  readonly options: Options;
  /** The radius against which the model shall be hardened; 0 for a defence that crafts nothing. */
  readonly epsilon: number;
  readonly signal: AbortSignal;
  /**
   * Trains through one stage and leaves the best weights of its epochs in the model. The engine shuffles, measures on samples
   * held out, stops early, writes checkpoints, and passes over what an interrupted run finished: `run` itself just starts again.
   */
  fit(stage: Stage): Promise<void>;
}

/** An attack and its options, as a defence uses it. */
export interface Crafting {
  readonly use: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A defence that changes a model's weights. It does not know of what kind the model's file is. */
export interface Training extends PluginFacts {
  readonly kind: 'training';
  /** The papers that it follows, as `arXiv:1706.06083`. */
  readonly cites: readonly string[];
  readonly options: Schema;
  /** The attack that `craft` runs, unless the user names another; null for a defence that crafts nothing. */
  readonly crafts: Crafting | null;
  /** The norms whose balls it hardens in; none where it crafts nothing. */
  readonly norms: readonly BallNorm[];
  /** Fits stage after stage by `fit` of the job, and leaves the hardened weights in its model. */
  run(job: TrainingJob<never>): Promise<void>;
}

/** Declares a training defence. The type of `options` in `run` follows from `options`. */
export function defineTraining<S extends Schema>(
  training: Omit<Training, 'kind' | 'options' | 'run'> & {
    readonly options: S;
    /** As {@link Training.run}. */
    run(job: TrainingJob<OptionsOf<S>>): Promise<void>;
  },
) {
  return seal({ kind: 'training' as const, ...training });
}
