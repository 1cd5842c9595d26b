import { readFileSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OnnxError, writeModel } from '@gauntlet/onnx';
import { stream } from '@gauntlet/tensor';
import * as tf from '@tensorflow/tfjs';
import { convert } from './index.js';
import { type ModelJson, plainTfjs, saving } from './testing/tfjs.js';

const saved = saving();
beforeAll(plainTfjs);
afterAll(() => saved.remove());

const small = () =>
  tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [4, 4, 1], filters: 2, kernelSize: 3, name: 'conv' }),
      tf.layers.reLU({ name: 'relu' }),
      tf.layers.flatten({ name: 'flatten' }),
      tf.layers.dense({ units: 3, name: 'dense' }),
    ],
  });

interface Options {
  class_name: string;
  config: Record<string, unknown>;
}
const layersOf = (json: ModelJson) => (json.modelTopology['config'] as { layers: Options[] }).layers;
const option = (layer: number, name: string, value: unknown) => (json: ModelJson) =>
  void (layersOf(json)[layer]!.config[name] = value);

/** A model of a model of a model, each called twice by the one around it. */
function doubled(depth: number): unknown {
  if (depth === 0) return { class_name: 'Activation', config: { name: 'a', activation: 'relu' } };
  const inner = {
    name: 'm',
    ...(doubled(depth - 1) as Options),
    inbound_nodes: [[['x', 0, 0, {}]], [['m', 1, 0, {}]]],
  };
  const x = {
    name: 'x',
    class_name: 'InputLayer',
    config: { batch_input_shape: [null, 2] },
    inbound_nodes: [],
  };
  const last = depth === 1 ? 1 : 2;
  if (depth === 1) inner.inbound_nodes[1] = [['m', 0, 0, {}]];
  return {
    class_name: 'Functional',
    config: { layers: [x, inner], input_layers: [['x', 0, 0]], output_layers: [['m', last, 0]] },
  };
}

const deep = (levels: number): unknown => {
  let json: unknown = 1;
  for (let i = 0; i < levels; i++) json = [json];
  return json;
};

const EDITS: Record<string, readonly [edit: (json: ModelJson) => void, sentence: RegExp]> = {
  'a kind of layer that is not known': [
    (json) => void (layersOf(json)[1]!.class_name = 'LSTM'),
    /^Unexpected layer "relu" of the kind LSTM at the model, expected one that can be written in ONNX: .*Run the model with tfjs\.$/,
  ],
  'an option that tfjs does not know': [
    option(1, 'negative_slope', 0.1),
    /^Unexpected 0.1 as negativeSlope at layer "relu" \(ReLU\), expected 0\./,
  ],
  'groups, which tfjs does not know': [
    option(0, 'groups', 2),
    /^Unexpected 2 as groups at layer "conv" \(Conv2D\)/,
  ],
  'an activation that is not known': [
    option(0, 'activation', 'cube'),
    /^Unexpected "cube" as activation at layer "conv"/,
  ],
  'a missing option': [
    option(3, 'units', null),
    /^Unexpected no units at layer "dense" \(Dense\), expected number/,
  ],
  'an option of another type': [option(0, 'strides', 'two'), /^Unexpected "two" as strides at layer "conv"/],
  'causal padding': [option(0, 'padding', 'causal'), /^Unexpected "causal" as padding at layer "conv"/],
  'weights of another shape': [
    option(3, 'units', 4),
    /^Unexpected weight "kernel" of shape \[8, 3\] at layer "dense" \(Dense\), expected \[any, 4\]\./,
  ],
  'a weight that is missing': [
    (json) => void (json.weightsManifest[0]!.weights[0]!['name'] = 'other/kernel'),
    /^Unexpected missing weight "kernel" at layer "conv"/,
  ],
  'an input of integers': [
    option(0, 'dtype', 'int32'),
    /^Unexpected input of type int32 at layer "conv_input" \(InputLayer\)/,
  ],
  'a GraphModel': [
    (json) => void (json.modelTopology = { node: [] }),
    /^Unexpected GraphModel at the model, expected a LayersModel/,
  ],
  'a model of another class': [
    (json) => void (json.modelTopology['class_name'] = 'Mine'),
    /^Unexpected model of the class Mine at the model, expected Sequential or Functional/,
  ],
  'no topology': [
    (json) => delete (json as Partial<ModelJson>).modelTopology,
    /^Unexpected no modelTopology at the model/,
  ],
  'weights elsewhere': [
    (json) => void (json.weightsManifest[0]!.paths = ['../0/part-0.bin']),
    /^Unexpected weights in "\.\.\/0\/part-0\.bin" at the model, expected a file in the folder of model\.json\./,
  ],
  'weights of the system': [
    (json) => void (json.weightsManifest[0]!.paths = ['/etc/passwd']),
    /^Unexpected weights in "\/etc\/passwd" at the model/,
  ],
  'a folder of weights': [
    (json) => void (json.weightsManifest[0]!.paths = ['.']),
    /^Unexpected weights in "\." at the model/,
  ],
  'a part of the weights that is missing': [
    (json) => void json.weightsManifest[0]!.paths.push('part-1.bin'),
    /^Unexpected missing weights "part-1\.bin" at the model, expected that file beside model\.json\. Copy it there\.$/,
  ],
  'weights without end': [
    (json) => void (json.weightsManifest[0]!.weights[0]!['shape'] = [1e6, 1e6, 1e6]),
    /^Unexpected \d+ bytes of weights at the model, expected the \S+ of its manifest/,
  ],
  'a circle': [
    (json) => {
      const [conv, relu] = layersOf(json);
      json.modelTopology['class_name'] = 'Functional';
      json.modelTopology['config'] = {
        layers: [
          { name: 'conv', ...conv, inbound_nodes: [[['relu', 0, 0, {}]]] },
          { name: 'relu', ...relu, inbound_nodes: [[['conv', 0, 0, {}]]] },
        ],
        input_layers: [],
        output_layers: [['relu', 0, 0]],
      };
    },
    /^Unexpected circle of layers through "\w+" at the model/,
  ],
  'a layer that nothing goes into': [
    (json) => {
      const relu = { name: 'relu', ...layersOf(json)[1]!, inbound_nodes: [[]] };
      json.modelTopology['class_name'] = 'Functional';
      json.modelTopology['config'] = { layers: [relu], input_layers: [], output_layers: [['relu', 0, 0]] };
    },
    /^Unexpected use of "relu" at the model, expected a call of that layer/,
  ],
  'two layers of one name': [
    option(1, 'name', 'conv'),
    /^Unexpected second layer "conv" at the model, expected a name of its own/,
  ],
  'models within models without end': [
    (json) => void (json.modelTopology = doubled(30) as Record<string, unknown>),
    /^Unexpected more than 20000 calls of layers at the model/,
  ],
  'nesting without end': [
    option(1, 'name', deep(1000)),
    /^Unexpected nesting of more than 200 levels at the model/,
  ],
};

describe('what cannot be converted is refused in one sentence', () => {
  it.each(Object.entries(EDITS))('%s', async (_, [edit, sentence]) => {
    const path = await saved.save(small(), { edit });
    await expect(convert(path)).rejects.toThrow(sentence);
    await expect(convert(path)).rejects.toBeInstanceOf(OnnxError);
  });

  it('a link that leads out of the folder', async () => {
    const path = await saved.save(small());
    const bin = join(dirname(path), 'part-0.bin');
    const elsewhere = join(saved.path, 'elsewhere.bin');
    writeFileSync(elsewhere, readFileSync(bin));
    unlinkSync(bin);
    symlinkSync(elsewhere, bin);
    await expect(convert(path)).rejects.toThrow(/^Unexpected weights in "part-0\.bin" at the model/);
  });

  it('weights that were cut off', async () => {
    const path = await saved.save(small());
    truncateSync(join(dirname(path), 'part-0.bin'), 40);
    await expect(convert(path)).rejects.toThrow(
      /^Unexpected 40 bytes of weights at the model, expected the 188 of/,
    );
  });

  it.each([
    ['text', 'no JSON', /that is not JSON at the model/],
    ['another JSON', '[1]', /^Unexpected content at the model|^Unexpected .* at the model/],
  ])('%s', async (name, content, sentence) => {
    const path = join(saved.path, `${name}.json`);
    writeFileSync(path, content);
    await expect(convert(path)).rejects.toThrow(sentence);
  });

  it('nothing', async () => {
    await expect(convert(join(saved.path, 'nothing.json'))).rejects.toThrow(
      /^Unexpected missing file at the model, expected a model\.json/,
    );
  });
});

describe('a broken file', () => {
  const ODD = [
    null,
    -1,
    0,
    1e9,
    0.5,
    '',
    'x',
    [],
    {},
    [[0]],
    true,
    [null, 2],
    ['a', 0, 0],
    { class_name: 'Dense', config: {} },
  ];

  it('is either converted or refused in one sentence', async () => {
    const path = await saved.save(small());
    const text = readFileSync(path, 'utf8');
    for (let seed = 0; seed < 400; seed++) {
      const random = stream('broken', seed);
      const places: [holder: Record<string, unknown>, key: string][] = [];
      const json = JSON.parse(text, function (this: Record<string, unknown>, key, value: unknown) {
        places.push([this, key]);
        return value;
      }) as unknown;
      const [holder, key] = places[Math.floor(random.uniform() * (places.length - 1))]!;
      holder[key] = ODD[Math.floor(random.uniform() * ODD.length)];
      writeFileSync(path, JSON.stringify(json));
      await convert(path).then(
        ({ model }) => expect(writeModel(model).length).toBeGreaterThan(0),
        (error: unknown) => {
          expect(error).toBeInstanceOf(OnnxError);
          expect((error as Error).message).toMatch(/^Unexpected .* at .*, expected .*\.$/s);
        },
      );
    }
  });
});
