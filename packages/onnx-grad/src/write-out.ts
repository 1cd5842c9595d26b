import type { Graph, NodeProto } from '@gauntlet/onnx';
import { nodePath, readsOf, sortNodes } from '@gauntlet/onnx';

import type { Differentiation } from './differentiate.js';
import { ancestorsOf, influencedBy, nameOf } from './paths.js';
import type { Expansion } from './rule.js';
import { EXPANSIONS, STAND_INS } from './rules/index.js';
import type { Arrived, SiteParts } from './site.js';
import { siteOf } from './site.js';

/** The ops whose integers count as smooth. */
export const throughOf = ({ quantisation }: Differentiation): ReadonlySet<string> =>
  new Set(quantisation === 'zero' ? [] : ['QuantizeLinear']);

const NOTHING: Arrived = { has: () => false, sum: () => undefined, phases: () => undefined };

/**
 * Writes out, on the paths from `wrt` to `of`, the nodes that have no rule of their own: in their place, or, where what they compute must
 * stay as it is, beside them. Gives what puts the latter back when the walk has ended.
 */
export function writeOut(
  graph: Graph,
  options: Differentiation,
  parts: Pick<SiteParts, 'graph' | 'ops' | 'lowering' | 'value'>,
): () => void {
  const { of, wrt, shapes, quantisation } = options;
  /** Calls `write` with the nodes that `of` depends on and that a table holds, and with what stands for their outputs. */
  const forEach = (
    table: Readonly<Record<string, Expansion>>,
    isOn: (node: NodeProto) => boolean,
    write: (node: NodeProto, outputs: readonly (string | undefined)[]) => void,
  ) => {
    const held = graph.proto.node.filter((node) => Object.hasOwn(table, nameOf(node)));
    if (held.length === 0) return;
    const needed = ancestorsOf(of, graph.proto.node);
    for (const node of held) {
      const expansion = table[nameOf(node)]!;
      if (!node.output.some((name) => needed.has(name)) || !isOn(node)) continue;
      const site = siteOf({ ...parts, node, path: nodePath(node), arrived: NOTHING, readers: new Map() });
      write(
        node,
        expansion(site).map((output) => output?.name),
      );
    }
    sortNodes(graph.proto);
  };
  const backs: (() => void)[] = [];
  if (quantisation !== 'zero') {
    forEach(
      STAND_INS,
      () => true,
      (node, outputs) => backs.push(graph.standIn(node, outputs)),
    );
  }
  const influenced = influencedBy(wrt, graph.proto.node, shapes, throughOf(options));
  forEach(
    EXPANSIONS,
    (node) => node.output.some((name) => influenced.has(name)),
    (node, outputs) => graph.replace(node, outputs),
  );
  return () => {
    for (const back of backs) back();
    if (backs.length > 0) sortNodes(graph.proto);
  };
}

/** Takes out the nodes that make nothing of what is kept: rules ask for tensors of which they need no more than the type. Nodes must be sorted. */
export function prune({ proto }: Graph, kept: Iterable<string>): void {
  const needed = new Set(kept);
  const left = proto.node.toReversed().filter((node) => {
    const isNeeded = node.output.some((name) => needed.has(name));
    if (isNeeded) for (const name of readsOf(node)) needed.add(name);
    return isNeeded;
  });
  proto.node = left.reverse();
}
