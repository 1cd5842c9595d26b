import { attributesOf, type Graph, type TensorType } from '@gauntlet/onnx';
import type { Arithmetic, Interval } from './arithmetic.js';

interface Parts {
  readonly graph: Graph;
  readonly arithmetic: Arithmetic;
  /** The own class of each sample, int64 [N]. */
  readonly own: string;
  readonly intervals: ReadonlyMap<string, Interval>;
  type(name: string): TensorType;
}

/** The weights [classes, hidden] and the bias of the layer that gives the scores, and the bounds of what it is given. */
interface Last {
  readonly hidden: Interval;
  readonly weights: string;
  readonly bias: string | undefined;
  /** How many products are summed for a score. */
  readonly terms: number;
}

/**
 * By how much each sample's own class leads each class at least, [N, classes]. Where the scores are a linear layer's, the difference of two is bounded as
 * one linear map of what the layer is given (Gowal et al. 2018, section 3); else the bounds of the scores are subtracted.
 */
export function leastLeads(parts: Parts, scores: string, bounds: Interval): string {
  const last = lastLayer(parts, scores);
  return last === undefined ? apart(parts, bounds) : merged(parts, last);
}

function apart({ graph, arithmetic, own }: Parts, { lower, upper }: Interval): string {
  const places = graph.node('Unsqueeze', [own, graph.ints([1])]);
  const least = graph.node('GatherElements', [lower, places], { axis: 1 });
  const lead = arithmetic.sub(least, upper);
  return arithmetic.widen({ lower: lead, upper: lead }).lower;
}

function lastLayer({ graph, intervals, type }: Parts, scores: string): Last | undefined {
  const node = graph.producer(graph.source(scores));
  const [x = '', w = '', bias] = node?.input ?? [];
  const given = intervals.get(x);
  if (node?.domain !== '' || given === undefined || intervals.has(w)) return undefined;
  const classes = type(scores).dims[1];
  const terms = Number(type(x).dims[1]);
  if (node.opType === 'MatMul' && type(x).dims.length === 2)
    return { hidden: given, weights: graph.node('Transpose', [w]), bias: undefined, terms };
  const added = bias === undefined ? [classes] : type(bias).dims;
  if (node.opType !== 'Gemm' || added.length !== 1 || added[0] !== classes) return undefined;
  const weights = attributesOf(node).int('transB', 0) === 1 ? w : graph.node('Transpose', [w]);
  return { hidden: given, weights, bias, terms };
}

/**
 * (W_y - W_j) x + b_y - b_j as `bounded` of the linear rules does it: what the two scores err by grows with |W_y| + |W_j|, not with the
 * difference.
 */
function merged({ graph, arithmetic, own }: Parts, { hidden, weights, bias, terms }: Last): string {
  const { add, sub, mul, abs, number, middle, outward, rounding } = arithmetic;
  const axis = (at: number) => graph.ints([at]);
  const ofOwn = (all: string) => graph.node('Unsqueeze', [graph.node('Gather', [all, own]), axis(1)]);
  const both = (all: string) => ({
    difference: sub(ofOwn(all), all),
    sum: add(ofOwn(abs(all)), abs(all)),
  });
  const times = (map: string, x: string) =>
    graph.node('Squeeze', [graph.node('MatMul', [map, graph.node('Unsqueeze', [x, axis(2)])]), axis(2)]);
  const { centre, radius, size } = middle(hidden);
  const { error, scale } = rounding(terms)!;
  const map = both(weights);
  const far = add(
    times(abs(map.difference), mul(radius, number(scale))),
    times(map.sum, mul(size, number(error * scale))),
  );
  if (bias === undefined) return outward(times(map.difference, centre), far).lower;
  const added = both(bias);
  return outward(
    add(times(map.difference, centre), added.difference),
    add(far, mul(added.sum, number(error * scale))),
  ).lower;
}
