import { rows, take, type Tensor } from '@gauntlet/tensor';
import { GauntletError, unexpected } from './errors.js';

/**
 * A function of one sample's scores, as data: every adapter compiles it into its own graph, and kit evaluates it on the host.
 * `class`, `given` and `target` name values, one per point, that are handed over with each call.
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
  /**
   * -sum over k of target[k] log(softmax(scores / temperature)[k]): cross-entropy against a distribution over the classes per point
   * (Hinton et al. 2015).
   */
  | { readonly op: 'softCrossEntropy'; readonly target: string; readonly temperature: number }
  /** The sum over the classes of the named numbers times the scores: what pulls a derivative by the scores back to the input. */
  | { readonly op: 'weighted'; readonly target: string }
  /** A number per point. */
  | { readonly op: 'given'; readonly name: string }
  | { readonly op: 'constant'; readonly value: number }
  /** log(1 + exp(of)), without overflow. */
  | { readonly op: 'softplus'; readonly of: Term }
  | { readonly op: 'relu'; readonly of: Term }
  | { readonly op: 'neg'; readonly of: Term }
  | { readonly op: 'add' | 'sub' | 'mul' | 'div'; readonly of: readonly [Term, Term] };

/**
 * A loss that an attack maximises, one number per point of a call, with the classes and numbers that its term names: one per point
 * as well, so that a call may ask about one sample under several classes.
 */
export interface Loss {
  readonly term: Term;
  readonly classes: Readonly<Record<string, Int32Array>>;
  readonly given: Readonly<Record<string, Float32Array>>;
  /** A number for each class, such as its probability: [points, classes] each. */
  readonly targets?: Readonly<Record<string, Tensor>>;
}

/** The loss for a choice of its points, in the order given: `lossAt(loss, of)` for a call whose point `i` belongs to sample `of[i]`. */
export const lossAt = ({ term, classes, given, targets }: Loss, points: readonly number[]): Loss => ({
  term,
  classes: mapValues(classes, (all) => Int32Array.from(points, (i) => all[i]!)),
  given: mapValues(given, (all) => Float32Array.from(points, (i) => all[i]!)),
  ...(targets && { targets: mapValues(targets, (all) => take(all, points)) }),
});

/**
 * Makes sure that a loss fits a call, before anything is computed: for whoever computes losses.
 *
 * @param points how many points the call has.
 * @param width how many classes the model has.
 * @throws GauntletError `internal` unless it has a value of every class, number and distribution that its term names for each point, and
 *   `unsupported` if it asks for a place that a model of so many classes has not.
 */
export function checkLoss({ term, classes, given, targets = {} }: Loss, points: number, width: number): void {
  const wrong = (found: string) =>
    new GauntletError(
      'internal',
      `Unexpected ${found} in a loss, expected one for each of ${points} points. lossAt gives the loss of some of them.`,
    );
  const check = (of: Term): void => {
    const lacks = (values: object, name: string) => !Object.hasOwn(values, name);
    if ('class' in of && lacks(classes, of.class)) throw wrong(`lack of values of "${of.class}"`);
    if (of.op === 'given' && lacks(given, of.name)) throw wrong(`lack of values of "${of.name}"`);
    if ('target' in of && lacks(targets, of.target)) throw wrong(`lack of values of "${of.target}"`);
    if (of.op === 'ranked' && of.place >= width) {
      throw unexpected({
        found: `loss of the score in place ${of.place + 1}`,
        at: `a model of ${width} classes`,
        expected: 'a place that it has',
        remedy: 'Use another loss or attack.',
        code: 'unsupported',
      });
    }
    if ('of' in of) [of.of].flat().forEach((inner) => check(inner as Term));
  };
  check(term);
  const counts = [
    ...Object.entries({ ...classes, ...given }).map(([name, all]) => [name, all.length] as const),
    ...Object.entries(targets).map(([name, all]) => [name, rows(all)] as const),
  ];
  for (const [name, count] of counts) if (count !== points) throw wrong(`${count} values of "${name}"`);
}

const mapValues = <T>(record: Readonly<Record<string, T>>, map: (value: T) => T) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
