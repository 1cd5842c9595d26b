import { type GauntletError, unexpected } from '@gauntlet/core';
import {
  attributesOf,
  dtypeOf,
  type Graph,
  isFloat,
  nodePath,
  type NodeProto,
  readsOf,
  readValueInfo,
  type TensorType,
} from '@gauntlet/onnx';
import { linearLogits, ML } from './classical.js';
import { firstOpen, type Types } from './shapes.js';
import { untyped } from './untyped.js';

/** Ops that hand scores on, in another shape or type. */
const PASSES = new Set(['Identity', 'Dropout', 'Cast', 'Flatten', 'Reshape', 'Squeeze', 'Unsqueeze']);

/**
 * Leaves the logits as the graph's only output, without what only other outputs need, and gives their name: a Softmax or Sigmoid
 * at the end is cut, so is the map that scikit-learn's exports make of probabilities, and two probabilities made of one logit z
 * become [0, z].
 */
export function takeScores(graph: Graph, output: string | undefined, path: string): string {
  const chosen = chooseOutput(graph, output, path);
  const scores = logitsBefore(graph, chosen) ?? chosen;
  keepOnly(graph, scores);
  return scores;
}

const isMl = (node: NodeProto | undefined, op: string) => node?.domain === ML && node.opType === op;
const isStandard = (node: NodeProto | undefined, op: string) =>
  node?.opType === op && (node.domain === '' || node.domain === 'ai.onnx');

/** The tensor behind an output: a map of probabilities stands for the tensor that it is made of. */
const beforeMap = (graph: Graph, name: string): string => {
  const node = graph.producer(name);
  return isMl(node, 'ZipMap') ? (node!.input[0] ?? name) : name;
};

function chooseOutput(graph: Graph, wanted: string | undefined, path: string): string {
  const outputs = graph.proto.output;
  if (wanted !== undefined) {
    if (graph.producer(wanted) !== undefined) return beforeMap(graph, wanted);
    throw unexpected({
      found: `output "${wanted}"`,
      at: path,
      expected: `one of its outputs (${outputs.map(({ name }) => name).join(', ')})`,
      remedy: 'Correct --output.',
    });
  }
  const floats = outputs.flatMap((info) => {
    const tensor = beforeMap(graph, info.name);
    const type = info.type?.value;
    const dtype =
      readValueInfo(info)?.dtype ?? (type?.case === 'tensorType' ? dtypeOf(type.value.elemType) : undefined);
    return tensor !== info.name || dtype === undefined || isFloat(dtype) ? [{ name: info.name, tensor }] : [];
  });
  const [only] = floats;
  if (only !== undefined && floats.length === 1) return only.tensor;
  const named = (floats.length > 0 ? floats : outputs).map(({ name }) => name).join(', ');
  throw unexpected({
    found: `${floats.length} outputs that could be scores${named && ` (${named})`}`,
    at: path,
    expected: 'one',
    remedy: 'Name the output that holds the scores with --output.',
  });
}

/** The logits from which a tensor of probabilities is made; undefined if it is none. */
function logitsBefore(graph: Graph, name: string): string | undefined {
  const passed: NodeProto[] = [];
  let at = name;
  for (let node = graph.producer(at); node !== undefined && passes(node); node = graph.producer(at)) {
    if (passed.includes(node)) return undefined;
    passed.push(node);
    at = node.input[0] ?? '';
  }
  const logits = graph.producer(at) && logitsOf(graph, graph.producer(at)!, at);
  if (logits === undefined) return undefined;
  return passed
    .filter((node) => node.domain !== ML)
    .reduceRight((input, node) => again(graph, node, input), logits);
}

/** A normaliser after probabilities only scales them. */
const passes = (node: NodeProto): boolean =>
  (PASSES.has(node.opType) && node.domain === '') || isMl(node, 'Normalizer');

function logitsOf(graph: Graph, node: NodeProto, name: string): string | undefined {
  const [input = ''] = node.input;
  if (isStandard(node, 'Sigmoid')) return input;
  if (isStandard(node, 'Softmax')) return attributesOf(node).int('axis', -1) === 0 ? undefined : input;
  if (isStandard(node, 'Concat')) return complementLogits(graph, node);
  return isMl(node, 'LinearClassifier') && node.output[1] === name ? linearLogits(graph, node) : undefined;
}

/** [1 - p, p] with p = sigmoid(z) becomes [0, z]. */
function complementLogits(graph: Graph, node: NodeProto): string | undefined {
  const [left = '', right = ''] = node.input.map((name) => graph.source(name));
  if (node.input.length !== 2) return undefined;
  const complements = (of: string, name: string) => {
    const sub = graph.producer(of);
    if (!isStandard(sub, 'Sub') || graph.source(sub!.input[1] ?? '') !== name) return false;
    const one = graph.value(sub!.input[0] ?? '');
    return one !== undefined && one.data.length === 1 && Number(one.data[0]) === 1;
  };
  const first = complements(right, left);
  if (!first && !complements(left, right)) return undefined;
  const sigmoid = graph.producer(first ? left : right);
  if (!isStandard(sigmoid, 'Sigmoid')) return undefined;
  return withZero(graph, sigmoid!.input[0] ?? '', first ? 'after' : 'before');
}

/** [n, 1] to [n, 2], with a column of zeros. */
export const withZero = (graph: Graph, logit: string, side: 'before' | 'after' = 'before'): string =>
  graph.node('Pad', [logit, graph.ints(side === 'before' ? [0, 1, 0, 0] : [0, 0, 0, 1])]);

/** A node once more, over another input. */
function again(graph: Graph, { opType, input, attribute }: NodeProto, first: string): string {
  const name = graph.node(opType, [first, ...input.slice(1)]);
  graph.producer(name)!.attribute.push(...attribute);
  return name;
}

/** Makes a tensor the only output and drops every node that it does not need. */
function keepOnly({ proto }: Graph, name: string): void {
  const makers = new Map(proto.node.flatMap((node) => node.output.map((output) => [output, node] as const)));
  const needed = new Set<NodeProto>();
  const waiting = [name];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const node = makers.get(at);
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    waiting.push(...readsOf(node));
  }
  proto.node = proto.node.filter((node) => needed.has(node));
  // Without its declared type: old files declare wrong shapes.
  proto.output = [untyped(name)];
}

/** What is said of scores that are none. */
export const badScores = (type: TensorType | undefined, path: string): GauntletError =>
  unexpected({
    found:
      type === undefined
        ? 'scores of unknown shape'
        : `${type.dtype} scores of shape [${type.dims.join(', ')}]`,
    at: path,
    expected: 'one row of float class scores per sample: [N, classes]',
    remedy: 'Name the output that holds them with --output, or export the model as a classifier.',
    code: 'unsupported',
  });

/** As many scores as the data make; undefined if it is not known where that comes from. */
export function looseScores(graph: Graph, types: Types, path: string): GauntletError | undefined {
  const node = firstOpen(graph, types);
  return (
    node &&
    unexpected({
      found: 'rows of scores, whose number follows the data',
      at: `${nodePath(node)} of ${path}`,
      expected: 'one row of float class scores per sample: [N, classes]',
      remedy:
        'Name the output that holds them with --output, or export the model with a fixed shape of this tensor.',
      code: 'unsupported',
    })
  );
}
