/**
 * A function of one sample's scores, as data: every adapter compiles it into its own graph, and kit evaluates it on the host.
 * `class` and `given` terms name per-sample values that are handed over with each call.
 */
export type Term =
  /** The score of the named class. */
  | { readonly op: 'pick'; readonly class: string }
  /** The largest score of the classes other than the named one. */
  | { readonly op: 'maxOther'; readonly class: string }
  /** log(sum(exp(scores))) over the classes other than the named one. */
  | { readonly op: 'logSumExpOther'; readonly class: string }
  /** The score at this place when scores are sorted downwards; 0 is the largest. */
  | { readonly op: 'ranked'; readonly place: number }
  /** A per-sample number. */
  | { readonly op: 'given'; readonly name: string }
  | { readonly op: 'constant'; readonly value: number }
  /** log(1 + exp(of)), without overflow. */
  | { readonly op: 'softplus'; readonly of: Term }
  | { readonly op: 'relu'; readonly of: Term }
  | { readonly op: 'neg'; readonly of: Term }
  | { readonly op: 'add' | 'sub' | 'mul' | 'div'; readonly of: readonly [Term, Term] };

/** A loss that an attack maximises, one number per sample, with the per-sample classes and numbers that its term names. */
export interface Loss {
  readonly term: Term;
  readonly classes: Readonly<Record<string, Int32Array>>;
  readonly given: Readonly<Record<string, Float32Array>>;
}
