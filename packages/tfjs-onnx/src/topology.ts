import { fail } from '@gauntlet/onnx';
import { z } from 'zod';
import { camelled, parse } from './json.js';

/** A tensor as a model names it: the output `index` of the call `call` of a layer. */
export interface Place {
  readonly layer: string;
  readonly call: number;
  readonly index: number;
}

/** One layer of a model; a model within a model is a layer with `model`. */
export interface LayerFacts {
  readonly name: string;
  readonly kind: string;
  readonly config: unknown;
  readonly model?: Topology;
  /** What goes into each call of it. None for an input. */
  readonly calls: readonly (readonly Place[])[];
}

/** A model as a graph of layers, whichever way it was written. */
export interface Topology {
  readonly layers: ReadonlyMap<string, LayerFacts>;
  readonly inputs: readonly Place[];
  readonly outputs: readonly Place[];
}

const MODELS = new Set(['Sequential', 'Model', 'Functional']);

const described = z.object({ className: z.string(), config: z.unknown() });
const own = z.object({ name: z.string().optional() });
const place = z
  .tuple([z.string(), z.int().min(0), z.int().min(0)], z.unknown())
  .transform(([layer, call, index]): Place => ({ layer, call, index }));
const places = z.union([place.transform((one) => [one]), z.array(place)]);
const functional = z.object({
  layers: z
    .array(
      z.object({
        name: z.string(),
        className: z.string(),
        config: z.unknown(),
        inboundNodes: z.unknown().optional(),
      }),
    )
    .min(1)
    .max(10_000),
  inputLayers: places,
  outputLayers: places,
});
const sequential = z.union([
  z.array(described).min(1).max(10_000),
  z.object({ layers: z.array(described).min(1).max(10_000) }).transform(({ layers }) => layers),
]);
/** The two ways of writing what goes into a layer: lists of Keras 2, and the arguments of a call of Keras 3. */
const listed = z.array(z.array(place));
const called = z.array(z.object({ args: z.array(z.unknown()) }));
const tensor = z
  .object({ className: z.literal('__keras_tensor__'), config: z.object({ kerasHistory: place }) })
  .transform(({ config }) => config.kerasHistory);

/** Reads what `modelTopology` of a LayersModel holds. @throws OnnxError `bad-graph` where it makes no sense. */
export function readTopology(json: unknown): Topology {
  const whole = camelled(json);
  const { modelConfig } = parse(z.object({ modelConfig: z.unknown().optional() }), whole, 'the model');
  return modelOf(parse(described, modelConfig ?? whole, 'the model'));
}

function modelOf({ className, config }: z.output<typeof described>): Topology {
  if (!MODELS.has(className)) {
    fail(
      'no-rule',
      `Unexpected model of the class ${className} at the model, expected Sequential or Functional. Save it as one of these.`,
    );
  }
  return className === 'Sequential' ? chainOf(config) : graphOf(config);
}

const inner = (kind: string, config: unknown) =>
  MODELS.has(kind) ? { model: modelOf({ className: kind, config }) } : {};

/** Layers in a row: the first tells the shape of the input, if it is not one by itself. */
function chainOf(config: unknown): Topology {
  const rows = parse(sequential, config, 'the model').map(({ className: kind, config: options }, i) => {
    const { name = `layer_${i}` } = parse(own, options, `layer ${i}`);
    return { name, kind, config: options, ...inner(kind, options), calls: [] as Place[][] };
  });
  const first = rows[0]!;
  const source =
    first.kind === 'InputLayer'
      ? []
      : [{ ...first, name: `${first.name}_input`, kind: 'InputLayer', calls: [] }];
  const chain = [...source, ...rows].map((layer, i, all) => ({
    ...layer,
    calls: i === 0 ? [] : [[{ layer: all[i - 1]!.name, call: 0, index: 0 }]],
  }));
  return {
    layers: byName(chain),
    inputs: [{ layer: chain[0]!.name, call: 0, index: 0 }],
    outputs: [{ layer: chain.at(-1)!.name, call: 0, index: 0 }],
  };
}

function graphOf(config: unknown): Topology {
  const { layers, inputLayers: inputs, outputLayers: outputs } = parse(functional, config, 'the model');
  const models = new Set(layers.filter(({ className }) => MODELS.has(className)).map(({ name }) => name));
  const listed = layers.every(({ inboundNodes }) => !called.min(1).safeParse(inboundNodes).success);
  // In lists, the first call of a model within a model is how it was made.
  const counted = (one: Place): Place =>
    listed && models.has(one.layer) ? { ...one, call: one.call - 1 } : one;
  const all = layers.map(({ name, className: kind, config: options, inboundNodes }) => ({
    name,
    kind,
    config: options,
    ...inner(kind, options),
    calls: callsOf(inboundNodes, `layer "${name}" (${kind})`).map((each) => each.map(counted)),
  }));
  return { layers: byName(all), inputs: inputs.map(counted), outputs: outputs.map(counted) };
}

function byName(layers: readonly LayerFacts[]): ReadonlyMap<string, LayerFacts> {
  const known = new Map<string, LayerFacts>();
  for (const layer of layers) {
    if (known.has(layer.name)) {
      fail(
        'bad-graph',
        `Unexpected second layer "${layer.name}" at the model, expected a name of its own. Save it again.`,
      );
    }
    known.set(layer.name, layer);
  }
  return known;
}

function callsOf(nodes: unknown, at: string): Place[][] {
  const calls = called.safeParse(nodes);
  if (!calls.success) return parse(listed, nodes ?? [], at);
  return calls.data.map(({ args: [first] }) =>
    parse(z.union([tensor.transform((one) => [one]), z.array(tensor)]), first, at),
  );
}
