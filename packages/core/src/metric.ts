import { type PluginFacts, seal } from './plugin.js';
import type { Row } from './row.js';

/** A pure fold over rows: it needs no model, and can be computed again from any old run. */
export interface Metric<Value = unknown> extends PluginFacts {
  readonly kind: 'metric';
  /** Which rows it folds: those of one attack at one epsilon, of one attack at all epsilons, or of all attacks. */
  readonly per: 'epsilon' | 'attack' | 'run';
  /**
   * The value over rows, in whatever order, as data that JSON can hold.
   */
  over(rows: readonly Row[]): Value;
}

/** Declares a metric. */
export const defineMetric = <Value>(metric: Omit<Metric<Value>, 'kind'>) =>
  seal({ kind: 'metric' as const, ...metric });
