import type { BallNorm } from '@gauntlet/tensor';
import type { Evasion } from './attack.js';
import type { Dataset } from './dataset.js';
import type { Accuracy } from './measure.js';
import type { ModelState, Tensors, TrainableModel, Training } from './training.js';

/** A training defence, its options, and what it is run on. */
export interface TrainingTask {
  readonly defence: Training;
  /** Validated by the defence's schema. */
  readonly options: unknown;
  readonly model: TrainableModel;
  readonly dataset: Dataset;
  /** How many samples are never learnt from: they say which epoch was the best. */
  readonly heldOut: number;
  /** What the model shall hold against; null for a defence that crafts nothing. */
  readonly threat: {
    readonly norm: BallNorm;
    readonly epsilon: number;
    readonly attack: Evasion;
    /** Validated options: of the attack that training samples are made by, and of the one that measures. */
    readonly crafting: unknown;
    readonly measuring: unknown;
  } | null;
  /** Of each stage. */
  readonly epochs: number;
  /** Samples of each update. */
  readonly batchSize: number;
  /** A stage ends after this many epochs that were no better than the best before. */
  readonly patience: number;
  /** Of everything random: the order, the crafted points, fresh weights. */
  readonly seed: number;
}

/** One epoch: the mean loss of what was learnt, and accuracy on the samples held out. `epoch` counts from 1. */
export interface Epoch extends Accuracy {
  readonly stage: string;
  readonly epoch: number;
  readonly loss: number;
}

/** All that an interrupted training needs to go on: the same task from here gives the same model as an unbroken run. */
export interface Checkpoint {
  /** The chosen weights of each finished stage. */
  readonly finished: Readonly<Record<string, Tensors>>;
  /** The finished epochs of all stages. */
  readonly epochs: readonly Epoch[];
  /** The stage under way, and the updates and summed losses of its unfinished epoch. */
  readonly stage: string;
  readonly updates: number;
  readonly loss: number;
  readonly now: ModelState;
  /** The weights of the stage's best epoch so far. */
  readonly best: Tensors | null;
}

/** Where a training's news go. */
export interface TrainingIo {
  readonly signal: AbortSignal;
  /** Seconds, from any origin. */
  now(): number;
  /** What an interrupted run saved; null to begin at the beginning. */
  readonly resume: Checkpoint | null;
  /** Called after each epoch, after an abort, and in between about once in `SAVE_EVERY` seconds. */
  save(checkpoint: Checkpoint): Promise<void>;
  /** Called after each epoch, when it was measured. */
  onEpoch(epoch: Epoch): void;
  /** Called after each update, with the share of the epoch that is done. */
  onUpdate(done: number): void;
}

/** What training gave; the model holds the weights of the chosen epoch. */
export interface Trained {
  readonly epochs: readonly Epoch[];
  /** The best epoch of the last stage. */
  readonly chosen: Epoch;
}
