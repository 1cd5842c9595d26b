import { nodePath } from './attributes.js';
import { fail } from './errors.js';
import type { GraphProto, NodeProto } from './onnx_pb.js';

/** The tensors a node reads: its inputs without the empty ones, and what its subgraphs capture from outside. */
export function readsOf(node: NodeProto): string[] {
  const inputs = node.input.filter((name) => name !== '');
  const graphs = graphsOf(node);
  return graphs.length === 0 ? inputs : [...new Set([...inputs, ...graphs.flatMap(capturesOf)])];
}

const graphsOf = ({ attribute }: NodeProto): GraphProto[] =>
  attribute.flatMap(({ g, graphs }) => [...(g === undefined ? [] : [g]), ...graphs]);

/** The tensors of enclosing graphs that a subgraph uses. */
export function capturesOf(graph: GraphProto): string[] {
  const own = new Set([...graph.input.map(({ name }) => name), ...graph.initializer.map(({ name }) => name)]);
  const captured = new Set<string>();
  for (const node of graph.node) {
    for (const name of readsOf(node)) if (!own.has(name)) captured.add(name);
    for (const name of node.output) own.add(name);
  }
  for (const { name } of graph.output) if (!own.has(name)) captured.add(name);
  return [...captured];
}

/**
 * Sorts a graph's nodes so that producers come first, in place and only if needed. Linear in nodes and edges.
 * Throws `cyclic`, `unknown-tensor` (nobody makes it) or `bad-graph` (made twice, be it by an inner graph).
 */
export function sortNodes(graph: GraphProto, outer: Iterable<string> = []): void {
  const known = new Set(outer);
  for (const { name } of graph.input) known.add(name);
  for (const { name } of graph.initializer) known.add(name);
  for (const { values } of graph.sparseInitializer) if (values !== undefined) known.add(values.name);
  const maker = makers(graph, (name) => known.has(name));
  const users = new Map<NodeProto, NodeProto[]>();
  const waiting = new Map<NodeProto, number>();
  for (const node of graph.node) {
    let count = 0;
    for (const name of readsOf(node)) {
      const from = maker.get(name);
      if (from !== undefined) {
        count++;
        const list = users.get(from);
        if (list === undefined) users.set(from, [node]);
        else list.push(node);
      } else if (!known.has(name)) {
        fail(
          'unknown-tensor',
          `Unexpected input "${name}" at ${nodePath(node)}, expected a tensor of the graph. Export the model again.`,
        );
      }
    }
    waiting.set(node, count);
  }
  if (isSorted(graph.node, maker)) return;
  const sorted = graph.node.filter((node) => waiting.get(node) === 0);
  for (let i = 0; i < sorted.length; i++) {
    for (const user of users.get(sorted[i]!) ?? []) {
      const left = waiting.get(user)! - 1;
      waiting.set(user, left);
      if (left === 0) sorted.push(user);
    }
  }
  if (sorted.length < graph.node.length) {
    const stuck = graph.node.find((node) => waiting.get(node)! > 0)!;
    fail(
      'cyclic',
      `Unexpected cycle at ${nodePath(stuck)}, expected an acyclic graph. Export the model again.`,
    );
  }
  graph.node = sorted;
}

/** The node that makes each tensor. Inner graphs must not make a tensor again that is known around them. */
function makers(graph: GraphProto, known: (name: string) => boolean): Map<string, NodeProto> {
  const maker = new Map<string, NodeProto>();
  for (const node of graph.node) {
    for (const name of node.output) {
      if (name === '') continue;
      if (maker.has(name) || known(name)) {
        fail(
          'bad-graph',
          `Unexpected second producer of "${name}" at ${nodePath(node)}, expected one. Export the model again.`,
        );
      }
      maker.set(name, node);
    }
  }
  for (const inner of graph.node.flatMap(graphsOf)) makers(inner, (name) => maker.has(name) || known(name));
  return maker;
}

function isSorted(nodes: readonly NodeProto[], maker: ReadonlyMap<string, NodeProto>): boolean {
  const done = new Set<NodeProto>();
  for (const node of nodes) {
    for (const name of readsOf(node)) {
      const from = maker.get(name);
      if (from !== undefined && !done.has(from)) return false;
    }
    done.add(node);
  }
  return true;
}
