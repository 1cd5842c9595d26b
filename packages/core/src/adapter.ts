import type { OpenModel } from './model.js';
import { type PluginFacts, seal } from './plugin.js';

/** How a model file is opened. Numbers are in the units of the samples, before mean and standard deviation. */
export interface ModelSettings {
  readonly bounds: readonly [lo: number, hi: number];
  /** Subtracted from the input inside the model: one number, or one per channel. */
  readonly mean?: readonly number[];
  /** Divides the input inside the model, after `mean`. */
  readonly std?: readonly number[];
  /** The output that holds the scores, where the model has several. */
  readonly output?: string;
  /** One sample's shape, for models that leave it open. */
  readonly shape?: readonly number[];
  /** Something worth telling the user, in one sentence. */
  readonly onNotice?: (notice: string) => void;
}

/** A plugin that opens model files of one format. */
export interface Adapter extends PluginFacts {
  readonly kind: 'adapter';
  /** Whether the path looks like one of its own. */
  opens(path: string): boolean;
  open(path: string, settings: ModelSettings): Promise<OpenModel>;
}

/** Declares an adapter. */
export const defineAdapter = (adapter: Omit<Adapter, 'kind'>) =>
  seal({ kind: 'adapter' as const, ...adapter });
