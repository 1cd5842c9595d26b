import type { Term } from './loss.js';
import type { OpenModel } from './model.js';
import { type PluginFacts, seal } from './plugin.js';
import type { Optimiser, TrainableModel } from './training.js';

/** How a model file is opened. Numbers are in the units of the samples, before mean and standard deviation. */
export interface ModelSettings {
  /** The values that inputs may take. */
  readonly bounds: readonly [lo: number, hi: number];
  /** Subtracted from the input inside the model: one number, or one per channel. */
  readonly mean?: readonly number[];
  /** Divides the input inside the model, after `mean`. */
  readonly std?: readonly number[];
  /** The output that holds the scores, where the model has several. */
  readonly output?: string;
  /** One sample's shape, for models that leave it open. */
  readonly shape?: readonly number[];
  /** At most this many bytes are planned for the tensors of one call; calls that would take more are cut. Adapters choose if left out. */
  readonly memory?: number;
  /** Something worth telling the user, in one sentence. */
  readonly onNotice?: (notice: string) => void;
}

/** What a gradient file shall compute. */
export interface GradientFileSettings extends ModelSettings {
  /** A loss of the scores and of one class per sample, its label. */
  readonly loss: Term;
  /** By what it is differentiated: each sample's loss by its input, or the mean loss by each of the weights. */
  readonly wrt: 'input' | 'weights';
  /** The inputs that it is differentiated by, by name, where the model has several; all of floats if left out. */
  readonly inputs?: readonly string[];
  /** How it is written: `plain` (default) runs well on any machine, `blocked` is faster on x64. */
  readonly lowering?: 'plain' | 'blocked';
}

/** A tensor that a file takes or gives; a size that is known at run time only has a name. */
export interface Port {
  readonly name: string;
  /** As ONNX names it: `float32`, `int64`. */
  readonly dtype: string;
  /** [n, ...], the batch first. */
  readonly dims: readonly (number | string)[];
}

/** A model written anew, to run without Gauntlet. */
export interface ModelFile {
  readonly bytes: Uint8Array;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** The files that the model was read from beside its own, from the folder of that. */
  readonly files: readonly string[];
}

/**
 * A file that computes scores, loss and gradient. Its inputs are the model's own, and `labels`; its outputs `scores` [n, classes],
 * `loss` [n], and `gradient` in the shape of the input, or `gradient/NAME` in that of each of several inputs or of the weights. An input
 * without a batch axis gets the gradient of the sum of the losses.
 */
export type GradientFile = ModelFile;

/** What runs the models of an adapter, as it is installed. */
export interface RuntimeFacts {
  readonly name: string;
  readonly version: string;
  /** What makes it slower than it could be, in one sentence, or null. */
  readonly notice: string | null;
}

/** A plugin that opens model files of one format. */
export interface Adapter extends PluginFacts {
  readonly kind: 'adapter';
  /** What runs the models, in the word that `--engine` takes. */
  readonly engine: string;
  /** Whether the path looks like one of its own. */
  opens(path: string): boolean;
  /**
   * Opens a model file, which holds native memory until it is closed.
   *
   * @throws GauntletError `input` or `unsupported`, in one sentence, for whatever cannot be used.
   */
  open(path: string, settings: ModelSettings): Promise<OpenModel>;
  /** Opens a model to be trained; left out by adapters that cannot. */
  readonly train?: (
    path: string,
    settings: ModelSettings & { readonly optimiser: Optimiser },
  ) => Promise<TrainableModel>;
  /** Writes the model out together with a loss and its gradient, where files of its format can hold that. */
  readonly gradientFile?: (path: string, settings: GradientFileSettings) => Promise<GradientFile>;
  /**
   * Loads what runs the models, and has it compute something.
   *
   * @throws GauntletError with the remedy, where it is missing or broken.
   */
  readonly runtime?: () => Promise<RuntimeFacts>;
  /** Writes a model of another format as an ONNX file. */
  readonly convert?: (path: string) => Promise<ModelFile>;
}

/** Declares an adapter. */
export const defineAdapter = (adapter: Omit<Adapter, 'kind'>) =>
  seal({ kind: 'adapter' as const, ...adapter });
