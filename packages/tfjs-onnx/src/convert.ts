import { fail, Graph, type ModelProto } from '@gauntlet/onnx';
import { z } from 'zod';
import { type Artifacts, weightsOf } from './artifacts.js';
import { parse } from './json.js';
import type { Call, Rearrange, Value, Weight } from './layer.js';
import { LAYERS } from './layers/index.js';
import { type LayerFacts, type Place, readTopology, type Topology } from './topology.js';

/** The operator set that models are written in. */
const OPSET = 18;

/** More calls of layers than any model has: models within models, called twice each, double with every level. */
const MOST_CALLS = 20_000;

const input = z
  .object({
    batchInputShape: z.array(z.int().min(1).nullable()).min(2).max(8).optional(),
    batchShape: z.array(z.int().min(1).nullable()).min(2).max(8).optional(),
    inputShape: z.array(z.int().min(1).nullable()).min(1).max(7).optional(),
    dtype: z.unknown().optional(),
  })
  .transform(({ batchInputShape, batchShape, inputShape, dtype }) => ({
    shape: (batchInputShape ?? batchShape)?.slice(1) ?? inputShape,
    dtype,
  }));

/**
 * Writes a LayersModel in ONNX: the same input and output layouts as in tfjs, any batch size, every weight inside.
 *
 * @throws OnnxError `no-rule` for a kind of layer that cannot be written, `bad-graph` or `bad-tensor` for what makes no sense.
 */
export function toOnnx(artifacts: Artifacts): ModelProto {
  if (artifacts.kind === 'graph') {
    fail(
      'no-rule',
      'Unexpected GraphModel at the model, expected a LayersModel, whose layers can be written in ONNX. Run it with tfjs, or convert what it was made from.',
    );
  }
  const topology = readTopology(artifacts.topology);
  const graph = Graph.empty(OPSET, 'layers_model');
  const writer = writerOf(graph, weightsOf(artifacts));
  const sources = topology.inputs.map(({ layer }) => declareInput(graph, layerOf(topology, layer)));
  const outputs = writer(topology, sources, '');
  topology.outputs.forEach(({ layer }, i) => {
    const { name, rank } = outputs[i]!;
    const wanted =
      topology.outputs.findIndex((other) => other.layer === layer) === i ? layer : `${layer}:${i}`;
    graph.node('Identity', [name], {}, { outputs: [wanted] });
    graph.output(
      wanted,
      'float32',
      Array.from({ length: rank }, (_, axis) => (axis === 0 ? 'N' : `${wanted}.${axis}`)),
    );
  });
  return graph.model;
}

function declareInput(graph: Graph, { name, config }: LayerFacts): Value {
  const at = `layer "${name}" (InputLayer)`;
  const { shape, dtype = 'float32' } = parse(input, config, at);
  if (shape === undefined || (typeof dtype === 'string' && dtype !== 'float32')) {
    const found = shape === undefined ? 'input without a shape' : `input of type ${String(dtype)}`;
    return fail(
      'no-rule',
      `Unexpected ${found} at ${at}, expected float32 samples of a known number of axes. Run the model with tfjs.`,
    );
  }
  const dims = ['N', ...shape.map((size, axis) => size ?? `${name}.${axis + 1}`)];
  return { name: graph.input(name, 'float32', dims), rank: dims.length };
}

/** Writes a model; `within` names the models that it lies in, as `outer/inner/`. */
type Writer = (topology: Topology, inputs: readonly Value[], within: string) => Value[];

/** Writes models into a graph: each call of each layer once, what it needs first. */
function writerOf(graph: Graph, weights: ReadonlyMap<string, Weight>): Writer {
  const constants = constantsOf(graph, weights);
  let left = MOST_CALLS;

  const written = (layer: LayerFacts, inputs: readonly Value[], within: string): Value[] => {
    if (--left < 0) {
      fail(
        'bad-graph',
        `Unexpected more than ${MOST_CALLS} calls of layers at the model, expected fewer. Use a smaller model.`,
      );
    }
    if (inputs.length === 0) refuse(layer.name);
    if (layer.model !== undefined) return writer(layer.model, inputs, `${within}${layer.name}/`);
    const { name, kind, config } = layer;
    const at = `layer "${name}" (${kind})`;
    const write = LAYERS.get(kind);
    if (write === undefined) {
      return fail(
        'no-rule',
        `Unexpected layer "${name}" of the kind ${kind} at the model, expected one that can be written in ONNX: ${[...LAYERS.keys()].join(', ')}. Run the model with tfjs.`,
      );
    }
    const call: Call = {
      at,
      graph,
      inputs,
      node: (op, from, attributes = {}) =>
        graph.node(op, from, attributes, { name: graph.unique(`${name}/${op}`) }),
      weight: (weight, shape, rearrange) =>
        constants([`${within}${name}`, name], weight, shape, at, rearrange),
    };
    return [write(config, call)];
  };

  const writer: Writer = (topology, inputs, within) => {
    const made = new Map<string, readonly Value[]>();
    topology.inputs.forEach(({ layer }, i) =>
      made.set(keyOf({ layer, call: 0 }), [inputs[i] ?? refuse(layer)]),
    );
    const open = new Set<string>();
    const stack: Pick<Place, 'layer' | 'call'>[] = topology.outputs.toReversed();
    for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
      const key = keyOf(at);
      if (made.has(key)) {
        stack.pop();
        continue;
      }
      const layer = layerOf(topology, at.layer);
      const from = layer.calls[at.call] ?? refuse(at.layer);
      const missing = from.filter((place) => !made.has(keyOf(place)));
      if (missing.length === 0) {
        const inputs = from.map((place) => valueAt(made, place));
        made.set(key, written(layer, inputs, within));
      } else if (open.has(key)) {
        fail(
          'cyclic',
          `Unexpected circle of layers through "${at.layer}" at the model, expected none. Save it again.`,
        );
      }
      open.add(key);
      stack.push(...missing.toReversed());
    }
    return topology.outputs.map((place) => valueAt(made, place));
  };
  return writer;
}

const keyOf = ({ layer, call }: Pick<Place, 'layer' | 'call'>) => `${call} ${layer}`;

const refuse = (name: string): never =>
  fail(
    'bad-graph',
    `Unexpected use of "${name}" at the model, expected a call of that layer. Save it again.`,
  );

const valueAt = (made: ReadonlyMap<string, readonly Value[]>, place: Place): Value =>
  made.get(keyOf(place))?.[place.index] ?? refuse(place.layer);

const layerOf = ({ layers }: Topology, name: string): LayerFacts => layers.get(name) ?? refuse(name);

/**
 * Weights as constants of a graph, each once. Their names are those of layer and weight; Keras 3 puts the models around the layer before,
 * and has one word for all kernels; other versions put a cell between, which tfjs drops.
 */
function constantsOf(graph: Graph, weights: ReadonlyMap<string, Weight>) {
  const shortened = new Map([...weights.keys()].map((name) => [name.replace(/[^/]+\/([^/]+)$/, '$1'), name]));
  const find = (layer: string, name: string) =>
    [
      `${layer}/${name}`,
      shortened.get(`${layer}/${name}`),
      `${layer}/${name.replace('depthwise_', '')}`,
    ].find((path) => path !== undefined && weights.has(path));
  const made = new Map<string, string>();
  return (
    layers: readonly string[],
    name: string,
    shape: readonly (number | null)[],
    at: string,
    rearrange?: Rearrange,
  ): string => {
    const path = layers.map((layer) => find(layer, name)).find((found) => found !== undefined) ?? '';
    const weight = weights.get(path);
    const fits =
      weight !== undefined &&
      weight.dims.length === shape.length &&
      shape.every((size, axis) => size === null || size === weight.dims[axis]);
    if (!fits) {
      const found =
        weight === undefined
          ? `missing weight "${name}"`
          : `weight "${name}" of shape [${weight.dims.join(', ')}]`;
      fail(
        'bad-tensor',
        `Unexpected ${found} at ${at}, expected [${shape.map((size) => size ?? 'any').join(', ')}]. Save the model again.`,
      );
    }
    const known = made.get(path);
    if (known !== undefined) return known;
    const constant = graph.constant({ dtype: 'float32', ...(rearrange?.(weight) ?? weight) }, path);
    made.set(path, constant);
    return constant;
  };
}
