import { attributesOf, type Attributes, float, type Graph, type NodeProto } from '@gauntlet/onnx';

/** The domain of the operators that scikit-learn's exports are made of. */
export const ML = 'ai.onnx.ml';

/**
 * Writes scikit-learn's operators as standard ones, which have gradients: Scaler, Normalizer, LinearClassifier. Cases that have
 * no such form stay as they are.
 */
export function standardise(graph: Graph): void {
  const { proto } = graph;
  proto.node = proto.node.flatMap((node) => {
    const rewrite =
      node.domain === ML && Object.hasOwn(REWRITES, node.opType) ? REWRITES[node.opType] : undefined;
    if (rewrite === undefined) return [node];
    const before = proto.node.length;
    const made = rewrite(graph, node, attributesOf(node));
    const nodes = proto.node.splice(before);
    if (!made) return [node];
    nodes.at(-1)!.output[0] = made;
    return nodes;
  });
}

/** Appends standard nodes, and gives the name that the last one shall have; undefined if there is no such form. */
type Rewrite = (graph: Graph, node: NodeProto, attr: Attributes) => string | undefined;

const row = (graph: Graph, values: readonly number[]) =>
  graph.constant({
    dtype: 'float32',
    dims: values.length === 1 ? [] : [values.length],
    data: Float32Array.from(values),
  });

/** (x - offset) * scale */
const scaler: Rewrite = (graph, { input: [x = ''], output }, attr) => {
  const centred = graph.node('Sub', [
    graph.node('Cast', [x], { to: 1 }),
    row(graph, attr.floats('offset', [0])),
  ]);
  graph.node('Mul', [centred, row(graph, attr.floats('scale', [1]))]);
  return output[0];
};

/** x divided by its own norm along the last axis; a norm of zero divides by one. */
const normalizer: Rewrite = (graph, { input: [input = ''], output }, attr) => {
  const x = graph.node('Cast', [input], { to: 1 });
  const last = graph.ints([-1]);
  const norms: Record<string, () => string> = {
    MAX: () => graph.node('ReduceMax', [x, last]),
    L1: () => graph.node('ReduceSum', [graph.node('Abs', [x]), last]),
    L2: () => graph.node('Sqrt', [graph.node('ReduceSum', [graph.node('Mul', [x, x]), last])]),
  };
  const norm = norms[attr.string('norm', 'MAX')]?.();
  if (norm === undefined) return undefined;
  const zero = graph.node('Equal', [norm, graph.scalar('float32', 0)]);
  graph.node('Div', [x, graph.node('Where', [zero, graph.scalar('float32', 1), norm])]);
  return output[0];
};

const LINKS: Record<string, string> = { NONE: 'Identity', LOGISTIC: 'Sigmoid', SOFTMAX: 'Softmax' };

/** Only the scores; the label output must be unused. */
const linearClassifier: Rewrite = (graph, node, attr) => {
  const op = LINKS[attr.string('post_transform', 'NONE')];
  const labelled = graph.proto.node.some(({ input }) => input.includes(node.output[0] ?? ''));
  const affine = op === undefined || labelled ? undefined : affineOf(node, attr);
  if (op === undefined || affine === undefined || affine.rows === 1) return undefined;
  graph.node(op, [gemm(graph, node, affine)]);
  return node.output[1];
};

const REWRITES: Readonly<Record<string, Rewrite>> = {
  Scaler: scaler,
  Normalizer: normalizer,
  LinearClassifier: linearClassifier,
};

interface Affine {
  /** [rows, features] */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly bias: Float32Array<ArrayBuffer>;
  readonly rows: number;
}

function affineOf(_node: NodeProto, attr: Attributes): Affine | undefined {
  const bias = Float32Array.from(attr.floats('intercepts', []));
  const weights = Float32Array.from(attr.floats('coefficients', []));
  const labels = Math.max(
    attr.ints('classlabels_ints', []).length,
    attr.strings('classlabels_strings', []).length,
  );
  const rows = bias.length || labels;
  const regular = rows > 0 && weights.length > 0 && weights.length % rows === 0;
  return regular ? { weights, bias: bias.length > 0 ? bias : new Float32Array(rows), rows } : undefined;
}

function gemm(graph: Graph, { input: [x = ''] }: NodeProto, { weights, bias, rows }: Affine): string {
  const w = graph.constant(
    { dtype: 'float32', dims: [rows, weights.length / rows], data: weights },
    'coefficients',
  );
  const b = graph.constant({ dtype: 'float32', dims: [rows], data: bias }, 'intercepts');
  return graph.node('Gemm', [graph.node('Cast', [x], { to: 1 }), w, b], { transB: 1, alpha: float(1) });
}

/**
 * The logits of a LinearClassifier at the end of a model. Its binary form has one row, or two that are opposite, and either means
 * [0, z]. Undefined for links that have no logits.
 */
export function linearLogits(graph: Graph, node: NodeProto): string | undefined {
  const attr = attributesOf(node);
  const link = attr.string('post_transform', 'NONE');
  const affine = Object.hasOwn(LINKS, link) ? affineOf(node, attr) : undefined;
  if (affine === undefined) return undefined;
  const { weights, bias, rows } = affine;
  const features = weights.length / rows;
  const opposite =
    rows === 2 &&
    bias[0] === -bias[1]! &&
    weights.subarray(0, features).every((value, i) => value === -weights[features + i]!);
  if (rows > 1 && !(link === 'LOGISTIC' && opposite)) return gemm(graph, node, affine);
  const last = (values: Float32Array<ArrayBuffer>, size: number) => {
    const both = new Float32Array(2 * size);
    both.set(values.subarray(values.length - size), size);
    return both;
  };
  return gemm(graph, node, { weights: last(weights, features), bias: last(bias, 1), rows: 2 });
}
