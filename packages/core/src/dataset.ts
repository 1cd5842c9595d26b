import type { Tensor } from '@gauntlet/tensor';
import { type PluginFacts, seal } from './plugin.js';
import type { Schema } from './schema.js';

/** Labelled samples. */
export interface Dataset {
  readonly name: string;
  /** A hash of the content, for resuming and for the record. */
  readonly fingerprint: string;
  /** How many there are. */
  readonly samples: number;
  /** One sample's shape. */
  readonly shape: readonly number[];
  /** Names of classes by their ids, where the source knows any. */
  readonly classes?: readonly string[];
  /** Samples `from` up to, but without, `to`, in order. `y` are class ids. */
  batch(from: number, to: number): Promise<Batch>;
  /** The same samples in another shape, without reading their files again; left out where that takes opening them anew. */
  as?(shape: readonly number[]): Dataset;
}

/** Some samples of a data set. `ids` stay the same in every run. */
export interface Batch {
  readonly ids: readonly (number | string)[];
  /** [n, ...shape], within the bounds that were asked for. */
  readonly x: Tensor;
  /** Class ids, [n]. */
  readonly y: Int32Array;
}

/** How the numbers of a file become inputs of a model. */
export interface DatasetSettings {
  /** The values that inputs may take: 8-bit data is divided by 255 unless this is [0, 255]. */
  readonly bounds: readonly [lo: number, hi: number];
  /** The sample shape that the model expects, for sources that can lay samples out in more than one way. */
  readonly shape?: readonly number[];
}

/** A plugin that opens files or folders as data sets. */
export interface DatasetSource extends PluginFacts {
  readonly kind: 'dataset';
  readonly options: Schema;
  /** Whether the path looks like one of its own. */
  opens(path: string): boolean;
  /**
   * Opens a file or folder. `options` were validated by the source's schema.
   *
   * @throws GauntletError `input` for what is damaged, or no labelled samples.
   */
  open(path: string, settings: DatasetSettings & { readonly options: unknown }): Promise<Dataset>;
}

/** Declares a data set source. */
export const defineDataset = (source: Omit<DatasetSource, 'kind'>) =>
  seal({ kind: 'dataset' as const, ...source });
