import { type PluginFacts, seal } from './plugin.js';
import type { Row } from './row.js';

/** A pure fold over rows: it needs no model, and can be computed again from any old run. */
export interface Metric<Value = unknown> extends PluginFacts {
  readonly kind: 'metric';
  /** The value over rows of one attack (or of the worst case) at one budget. */
  over(rows: readonly Row[]): Value;
}

/** Declares a metric. */
export const defineMetric = <Value>(metric: Omit<Metric<Value>, 'kind'>) =>
  seal({ kind: 'metric' as const, ...metric });
