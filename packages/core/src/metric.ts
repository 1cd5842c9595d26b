import type { Certified } from './defence.js';
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

/** A pure fold over certificates: those of one certifier, at all radii that were asked about. */
export interface CertificateMetric<Value = unknown> extends PluginFacts {
  readonly kind: 'certificate-metric';
  /** The value over certificates, in whatever order, as data that JSON can hold. */
  over(certificates: readonly Certified[]): Value;
}

/** Declares a metric. */
export const defineMetric = <Value>(metric: Omit<Metric<Value>, 'kind'>) =>
  seal({ kind: 'metric' as const, ...metric });

/** Declares a metric over certificates. */
export const defineCertificateMetric = <Value>(metric: Omit<CertificateMetric<Value>, 'kind'>) =>
  seal({ kind: 'certificate-metric' as const, ...metric });
