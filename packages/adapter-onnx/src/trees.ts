import { type Tree, type Trees, unexpected } from '@gauntlet/core';
import { attributesOf, type Attributes, Graph, type NodeProto, readModel } from '@gauntlet/onnx';
import { ML } from './classical.js';
import type { Prepared } from './prepared.js';

/**
 * The trees of a model that is nothing but a TreeEnsembleClassifier whose scores are the leaves' own, added up; undefined for others. Comparisons become
 * `x <= threshold`, which float32 can say of `<`, `>` and `>=` too.
 *
 * @throws GauntletError for an ensemble that is none: nodes that are missing, or met twice.
 */
export function treesOf({ model, input, scores, name, classes }: Prepared): Trees | undefined {
  const graph = new Graph(readModel(model));
  const node = graph.producer(scores);
  if (node?.domain !== ML || node.opType !== 'TreeEnsembleClassifier') return undefined;
  const attr = attributesOf(node);
  const plain =
    attr.string('post_transform', 'NONE') === 'NONE' && attr.floats('nodes_values', []).length > 0;
  if (!plain || !readsInput(graph, node, input.name)) return undefined;
  const features = input.shape.reduce((product, size) => product * size, 1);
  const { nodes, roots } = nodesOf(attr);
  const leaves = leavesOf(attr, classes);
  if (leaves === undefined) return undefined;
  const trees = roots.map((root) => treeAt(root, { nodes, leaves, features, at: name }));
  return trees.every((tree) => tree !== undefined) ? { base: leaves.base, trees } : undefined;
}

function readsInput(graph: Graph, { input: [first = ''] }: NodeProto, name: string): boolean {
  const before = graph.producer(first);
  const passed = before?.opType === 'Identity' || before?.opType === 'Cast';
  return first === name || (passed && readsInput(graph, before, name));
}

interface Node {
  readonly mode: string;
  readonly feature: number;
  readonly value: number;
  readonly whenTrue: string;
  readonly whenFalse: string;
}

const keyOf = (tree: number, node: number) => `${tree} ${node}`;

/** The nodes of all trees by their keys; the first of each tree is its root. */
function nodesOf(attr: Attributes) {
  const ints = (name: string) => attr.ints(`nodes_${name}`, []);
  const [ids, trees, features] = [ints('nodeids'), ints('treeids'), ints('featureids')];
  const [yes, no] = [ints('truenodeids'), ints('falsenodeids')];
  const [modes, values] = [attr.strings('nodes_modes', []), attr.floats('nodes_values', [])];
  const nodes = new Map<string, Node>();
  ids.forEach((id, i) =>
    nodes.set(keyOf(trees[i]!, id), {
      mode: modes[i] ?? '',
      feature: features[i] ?? -1,
      value: values[i] ?? NaN,
      whenTrue: keyOf(trees[i]!, yes[i]!),
      whenFalse: keyOf(trees[i]!, no[i]!),
    }),
  );
  const first = [...ids.keys()].filter((i) => trees[i] !== trees[i - 1]);
  return { nodes, roots: first.map((i) => keyOf(trees[i]!, ids[i]!)) };
}

interface Leaves {
  readonly base: readonly number[];
  readonly at: ReadonlyMap<string, readonly number[]>;
}

/**
 * The scores of each leaf. Of two classes one may have all the weights: then their sum v means [1 - v, v], or [-v, v] if a weight is negative. So
 * ONNX Runtime has it, where the second class gets no weight; undefined where that would depend on the leaves.
 */
function leavesOf(attr: Attributes, classes: number): Leaves | undefined {
  const [trees, nodes, ids] = [
    attr.ints('class_treeids', []),
    attr.ints('class_nodeids', []),
    attr.ints('class_ids', []),
  ];
  const weights = attr.floats('class_weights', []);
  const base = attr.floats('base_values', []);
  const single = classes === 2 && ids.every((id) => id === 0);
  const at = new Map<string, number[]>();
  const weighed = new Set<string>();
  weights.forEach((weight, i) => {
    const key = keyOf(trees[i]!, nodes[i]!);
    const own = at.get(key) ?? new Array<number>(classes).fill(0);
    at.set(key, own);
    if (!single) own[ids[i]!]! += weight;
    else [own[0], own[1]] = [own[0]! - weight, own[1]! + weight];
    if (ids[i] === 1) weighed.add(key);
  });
  if (!single && classes === 2 && (base.length > 0 || weighed.size < at.size)) return undefined;
  if (!single) return { base: Array.from({ length: classes }, (_, k) => base[k] ?? 0), at };
  const [first = 0] = base;
  return { base: weights.every((weight) => weight >= 0) ? [1 - first, first] : [-first, first], at };
}

/** More splits one after another than any tree has that was learnt. */
const DEEPEST = 1000;

interface Ensemble {
  readonly nodes: ReadonlyMap<string, Node>;
  readonly leaves: Leaves;
  /** How many entries an input has. */
  readonly features: number;
  readonly at: string;
}

/** The tree below a node; undefined where it compares in a way that has no threshold. */
function treeAt(root: string, { nodes, leaves, features, at }: Ensemble): Tree | undefined {
  const seen = new Set<string>();
  const isFeature = (place: number) => place >= 0 && place < features;
  const below = (key: string, depth: number): Tree | undefined => {
    const node = nodes.get(key);
    if (node === undefined || seen.has(key) || depth > DEEPEST || !isFeature(node.feature)) {
      const expected = 'nodes that form trees over the entries of its input';
      throw unexpected({ found: `node ${key}`, at, expected, remedy: 'Export the model again.' });
    }
    seen.add(key);
    if (node.mode === 'LEAF') return { scores: leaves.at.get(key) ?? leaves.base.map(() => 0) };
    const order = ORDERS[node.mode];
    const [yes, no] = [below(node.whenTrue, depth + 1), below(node.whenFalse, depth + 1)];
    if (order === undefined || !Number.isFinite(node.value)) return undefined;
    if (yes === undefined || no === undefined) return undefined;
    const threshold = order.strict ? nextBelow(node.value) : node.value;
    const [left, right] = order.leftWhen ? [yes, no] : [no, yes];
    return { feature: node.feature, threshold, left, right };
  };
  return below(root, 0);
}

/** Comparisons as `x <= threshold`, which is true where they are (`leftWhen`) or where they are not; `strict` leaves the threshold itself out. */
const ORDERS: Readonly<Record<string, { readonly leftWhen: boolean; readonly strict: boolean }>> = {
  BRANCH_LEQ: { leftWhen: true, strict: false },
  BRANCH_LT: { leftWhen: true, strict: true },
  BRANCH_GT: { leftWhen: false, strict: false },
  BRANCH_GTE: { leftWhen: false, strict: true },
};

/** The largest float32 number below a finite one. */
function nextBelow(value: number): number {
  const number = Float32Array.of(value === 0 ? -0 : value);
  const bits = new Int32Array(number.buffer);
  // Of a negative number the next one below is farther from zero.
  bits[0]! += value > 0 ? -1 : 1;
  return number[0]!;
}
