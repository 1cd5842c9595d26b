import {
  attributesOf,
  fail,
  type Graph,
  nodePath,
  type NodeProto,
  readsOf,
  sortNodes,
  type TensorType,
} from '@gauntlet/onnx';
import { createArithmetic, type Interval } from './arithmetic.js';
import { leastLeads } from './leads.js';
import type { Site } from './rule.js';
import { RULES } from './rules/index.js';

/** What is bounded. */
export interface Bounding {
  /** The input of the points, float32 [N, ...]. */
  readonly input: string;
  /** Types of the graph's tensors. */
  readonly types: ReadonlyMap<string, TensorType>;
}

/** The two corners, inputs shaped as the points, and the bounds of whatever depends on the points. */
export interface Propagated {
  readonly lower: string;
  readonly upper: string;
  readonly intervals: ReadonlyMap<string, Interval>;
}

/** The names of the inputs and outputs of a graph that bounds its scores. */
export interface Bounded extends Pick<Propagated, 'lower' | 'upper'> {
  /** An input, int64 [N]: a class for each sample. */
  readonly own: string;
  /** Outputs, [N, classes]: bounds of the scores, and by how much the own class leads each at least. */
  readonly scores: Interval;
  readonly leads: string;
}

/**
 * Turns a graph, in place, into one that bounds its scores, [N, classes], over everything between two corners (interval bound propagation,
 * Gowal et al. 2018). Bounds are rounded outward: they hold for the exact scores, and for those that float32 gives in any order of
 * summation.
 *
 * @throws OnnxError `no-rule` for an op that has no bounds, and the codes for malformed graphs.
 */
export function bound(graph: Graph, { scores, ...what }: Bounding & { readonly scores: string }): Bounded {
  const { intervals, lower, upper } = propagate(graph, what);
  const arithmetic = createArithmetic(graph);
  const type = (name: string) => typeOf(what.types, name, 'the model');
  const bounds = intervals.get(scores) ?? { lower: scores, upper: scores };
  const [batch = 'N', ...classes] = type(scores).dims;
  const own = graph.input('own', 'int64', [batch]);
  const leads = leastLeads({ graph, arithmetic, intervals, own, type }, scores, bounds);
  for (const name of [bounds.lower, bounds.upper, leads]) graph.output(name, 'float32', [batch, ...classes]);
  return { lower, upper, own, scores: bounds, leads };
}

/** Replaces the nodes of a graph by those that bound their outputs, and its input by two corners; it is left without outputs. */
export function propagate(graph: Graph, { input, types }: Bounding): Propagated {
  const { proto } = graph;
  sortNodes(proto);
  const { dims } = typeOf(types, input, 'the model');
  const nodes = proto.node.splice(0);
  proto.input = proto.input.filter(({ name }) => name !== input);
  [proto.output, proto.valueInfo] = [[], []];
  const corner = (wanted: string) => graph.input(wanted, 'float32', dims);
  const [lower, upper] = [corner('lower'), corner('upper')];
  const intervals = new Map<string, Interval>([[input, { lower, upper }]]);
  const arithmetic = createArithmetic(graph);

  for (const node of nodes) {
    if (!readsOf(node).some((name) => intervals.has(name))) {
      proto.node.push(node);
    } else if (node.domain === '' && (node.opType === 'Shape' || node.opType === 'Size')) {
      node.input = node.input.map((name) => intervals.get(name)?.lower ?? name);
      proto.node.push(node);
    } else {
      const found = boundsOf(node, { graph, arithmetic, intervals, types });
      node.output.forEach((name, i) => name !== '' && intervals.set(name, found[i]!));
    }
  }
  return { lower, upper, intervals };
}

const typeOf = (types: Bounding['types'], name: string, path: string) =>
  types.get(name) ??
  fail(
    'unknown-shape',
    `Unexpected tensor "${name}" of unknown shape at ${path}, expected a known one. Export the model again.`,
  );

interface Parts extends Pick<Site, 'graph' | 'arithmetic'> {
  readonly intervals: ReadonlyMap<string, Interval>;
  readonly types: Bounding['types'];
}

function boundsOf(node: NodeProto, { graph, arithmetic, intervals, types }: Parts): readonly Interval[] {
  const path = nodePath(node);
  const refuse = (what: string): never =>
    fail(
      'no-rule',
      `Unexpected ${what} at ${path}, expected a case with bounds. Use attacks, or export the model without it.`,
    );
  const has = (i: number) => node.input[i] !== undefined && node.input[i] !== '';
  const name = (i: number) => (has(i) ? node.input[i]! : refuse(`missing input ${i}`));
  const site: Site = {
    ...{ node, graph, arithmetic, has, refuse, attr: attributesOf(node) },
    x: (i) => intervals.get(name(i)) ?? { lower: name(i), upper: name(i) },
    varies: (i) => intervals.has(name(i)),
    type: (i) => typeOf(types, name(i), path),
    value: (i) => graph.value(name(i)),
    again(inputs) {
      const output = graph.nodes(node.opType, inputs, node.output.length);
      graph.producer(output[0]!)!.attribute.push(...node.attribute);
      return output;
    },
  };
  const rule = node.domain === '' ? RULES[node.opType] : undefined;
  return (rule ?? refuse(`op ${node.opType} without a rule`))(site);
}
