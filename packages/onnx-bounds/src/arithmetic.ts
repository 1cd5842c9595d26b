import { filled, type Graph } from '@gauntlet/onnx';

/** The names of two tensors between which a tensor lies; the same name twice where it is known. */
export interface Interval {
  readonly lower: string;
  readonly upper: string;
}

/** Half the distance from 1 to the next float32: no operation errs by a larger share of its result. */
const ROUNDOFF = 2 ** -24;

/** More than what underflow takes away from a sum of up to 2^23 products, and less than what matters. */
const TINY = 2 ** -100;

/** So many terms are summed at most, so that the error of a sum stays below a hundredth. */
const MOST = 2 ** 17;

/** The operations of float32, as nodes. */
export type Arithmetic = ReturnType<typeof createArithmetic>;

/**
 * Appends float32 operations to a graph. `outward` and `widen` make up for their rounding, which ONNX Runtime cannot direct: every bound
 * holds for exact values, and for those of float32 in whichever order sums are taken, with or without fused multiplications.
 */
export function createArithmetic(graph: Graph) {
  const number = (value: number) => graph.constant(filled('float32', value));
  const add = (a: string, b: string) => graph.node('Add', [a, b]);
  const sub = (a: string, b: string) => graph.node('Sub', [a, b]);
  const mul = (a: string, b: string) => graph.node('Mul', [a, b]);
  const abs = (a: string) => graph.node('Abs', [a]);
  /** An overflow leaves nothing known. */
  const known = (a: string, otherwise: number) =>
    graph.node('Where', [graph.node('IsNaN', [a]), number(otherwise), a]);
  const slack = (a: string, share: number) => add(mul(abs(a), number(share)), number(TINY));
  const below = (a: string, share: number) => known(sub(a, slack(a, share)), -Infinity);
  const above = (a: string, share: number) => known(add(a, slack(a, share)), Infinity);

  return {
    ...{ number, add, sub, mul, abs },

    /** Bounds of what was computed from bounds by operations that err by this share of their result at most; one rounding by default. */
    widen: ({ lower, upper }: Interval, share = 0): Interval => ({
      lower: below(lower, share + 4 * ROUNDOFF),
      upper: above(upper, share + 4 * ROUNDOFF),
    }),

    /** Middle and radius of an interval, and a bound of its absolute values. */
    middle({ lower, upper }: Interval) {
      const centre = mul(add(lower, upper), number(0.5));
      const reach = graph.node('Max', [sub(upper, centre), sub(centre, lower)]);
      const radius = add(mul(reach, number(1 + 4 * ROUNDOFF)), number(TINY));
      return { centre, radius, size: add(abs(centre), radius) };
    },

    /** `centre` +- `radius`. */
    outward(centre: string, radius: string): Interval {
      const far = add(mul(radius, number(1 + 4 * ROUNDOFF)), slack(centre, 4 * ROUNDOFF));
      return {
        lower: known(sub(centre, far), -Infinity),
        upper: known(add(centre, far), Infinity),
      };
    },

    /**
     * How sums of `terms` products err, with gamma_k = k u / (1 - k u) (Higham 2002, section 3.1): `error`, twice gamma_k, bounds what two such sums
     * err by, as a share of the sum of absolute products; `scale`, 1 + twice gamma_k, makes up for what a sum of positive products errs by itself.
     * k is larger than `terms` by the other operations that a bound takes.
     */
    rounding(terms: number) {
      const k = (terms + 8) * ROUNDOFF;
      const error = (2 * k) / (1 - k);
      return terms > MOST ? undefined : { error: error * (1 + error), scale: 1 + error };
    },
  };
}
