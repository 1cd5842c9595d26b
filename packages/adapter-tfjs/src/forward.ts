import { unexpected } from '@gauntlet/core';
import type { GraphModel, layers, LayersModel, SymbolicTensor, Tensor } from '@tensorflow/tfjs';
import type { Tf } from './runtime.js';
import { isLayersModel, type LiveModel } from './source.js';

/** A function of tensors, to be called within `tf.tidy`. */
export type Forward = (x: Tensor) => Tensor;

/** A part of a model that can be looked at by itself: what it is, and the function from the input up to its output. */
export interface Part {
  readonly what: string;
  readonly forward: Forward;
}

/** What a model computes. */
export interface Computed {
  /** The input's shape, batch axis first; null where the model leaves a size open, undefined where all of it. */
  readonly input: readonly (number | null)[] | undefined;
  /** Scores before a final softmax or sigmoid. */
  readonly forward: Forward;
  /** Its layers or ops in order, for finding the one that is to blame. */
  parts(): readonly Part[];
}

/** The function that a model computes up to its scores: of several outputs, the one that is named. */
export const computed = (tf: Tf, model: LiveModel, output: string | undefined, at: string): Computed =>
  isLayersModel(model) ? ofLayers(tf, model, output, at) : ofGraph(model, output, at);

/** Which of the outputs. */
function choose(names: readonly string[], output: string | undefined, at: string): number {
  const found = output === undefined ? (names.length === 1 ? 0 : -1) : names.indexOf(output);
  if (found >= 0) return found;
  throw unexpected({
    found: output === undefined ? `${names.length} outputs` : `output "${output}"`,
    at,
    expected: `one of its outputs (${names.join(', ')})`,
    remedy: 'Name the output that holds the scores with --output.',
  });
}

function mustBeOne(inputs: number, at: string): void {
  if (inputs === 1) return;
  throw unexpected({
    found: `${inputs} inputs`,
    at,
    expected: 'a model with one input, the samples',
    remedy: 'Save the model with every other input fixed.',
    code: 'unsupported',
  });
}

/** Activations that keep the order of scores: attacks work on what goes into them. */
const SQUASHING = new Set(['softmax', 'sigmoid']);

interface Activated {
  readonly activation?: { getClassName(): string };
}

function ofLayers(tf: Tf, model: LayersModel, output: string | undefined, at: string): Computed {
  mustBeOne(model.inputs.length, at);
  const names = model.outputs.map(({ sourceLayer }) => sourceLayer.name);
  const chosen = choose(names, output, at);
  return {
    input: model.inputs[0]!.shape,
    forward: logitsOf(tf, model, model.outputs[chosen]!),
    parts: () =>
      model.layers
        .filter((layer) => !model.inputs.some(({ sourceLayer }) => sourceLayer === layer))
        .flatMap((layer) => {
          const what = `layer "${layer.name}" (${layer.getClassName()})`;
          // A layer that is called several times has no one output.
          const made = layer.inboundNodes.length === 1 ? [layer.output].flat() : [];
          return made.map((tensor) => ({ what, forward: upTo(tf, model, tensor) }));
        }),
  };
}

/** The function up to a tensor of the model. Its weights are the model's own, whatever they become. */
function upTo(tf: Tf, { inputs }: LayersModel, tensor: SymbolicTensor): Forward {
  if (inputs[0] === tensor) return (x) => x;
  const part = tf.model({ inputs, outputs: tensor });
  return (x) => part.apply(x, { training: false }) as Tensor;
}

function logitsOf(tf: Tf, model: LayersModel, output: SymbolicTensor): Forward {
  const layer = output.sourceLayer;
  const before = (): Forward => upTo(tf, model, layer.getInputAt(output.nodeIndex) as SymbolicTensor);
  if ('layers' in layer) {
    const inner = layer as LayersModel;
    if (inner.inputs.length > 1) return upTo(tf, model, output);
    const [outer, head] = [before(), logitsOf(tf, inner, inner.outputs[output.outputTensorIndex ?? 0]!)];
    return (x) => head(outer(x));
  }
  if (layer.getClassName() === 'Softmax') return before();
  const { activation } = layer as Activated;
  if (activation === undefined || !SQUASHING.has(activation.getClassName())) return upTo(tf, model, output);
  const features = before();
  // The layer itself but for its activation: it shares the weights and leaves the model as it is.
  const { activation: linear } = tf.layers.activation({
    activation: 'linear',
  }) as unknown as Required<Activated>;
  const bare = Object.create(layer, { activation: { value: linear } }) as layers.Layer;
  return (x) => bare.call(features(x), {}) as Tensor;
}

interface Node {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
}

const nodeName = (name: string) => name.replace(/:\d+$/, '').replace(/^\^/, '');

function ofGraph(model: GraphModel, output: string | undefined, at: string): Computed {
  mustBeOne(model.inputs.length, at);
  const { name, shape } = model.inputs[0]!;
  // What the file holds is where tfjs keeps it, too.
  const { artifacts } = model as unknown as { artifacts: { modelTopology: { node: readonly Node[] } } };
  const nodes = new Map(artifacts.modelTopology.node.map((node) => [node.name, node]));
  const names = model.outputs.map(({ name }) => nodeName(name));
  const inside = output !== undefined && nodes.has(output);
  const last = inside ? output : names[choose(names, output, at)]!;
  const to =
    (node: string): Forward =>
    (x) =>
      model.execute({ [name]: x }, node) as Tensor;
  return {
    input: shape?.map((size) => (size < 0 ? null : size)),
    forward: to(logitsBefore(nodes, last)),
    parts: () =>
      [...nodes.values()]
        .filter(({ op }) => op !== 'Const' && op !== 'Placeholder')
        .map(({ name, op }) => ({ what: `op ${op} ("${name}")`, forward: to(name) })),
  };
}

/** The node before a softmax or sigmoid at the end; the last one itself where there is none. */
function logitsBefore(nodes: ReadonlyMap<string, Node>, last: string): string {
  const passed = new Set<string>();
  for (let name = last; !passed.has(name);) {
    passed.add(name);
    const { op = '', input: [from = ''] = [] } = nodes.get(name) ?? {};
    if (SQUASHING.has(op.toLowerCase())) return nodeName(from);
    if (op === 'Identity') name = nodeName(from);
  }
  return last;
}
