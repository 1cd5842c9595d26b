import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeModel } from '@gauntlet/onnx';
import { stream } from '@gauntlet/tensor';
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { convert } from './index.js';
import { LAYERS } from './layers/index.js';
import { loaded, type ModelJson, plainTfjs, quantise, randomise, saving } from './testing/tfjs.js';

const { layers } = tf;
const saved = saving();
beforeAll(plainTfjs);
afterAll(() => saved.remove());

const ROWS = 3;

const input = (shape: readonly number[]) => {
  const random = stream('input', ...shape);
  const sizes = [ROWS, ...shape];
  const data = Float32Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, () => random.normal());
  return { data, sizes };
};

async function byOnnx(path: string, { data, sizes }: ReturnType<typeof input>) {
  const { model } = await convert(path);
  const session = await ort.InferenceSession.create(writeModel(model), { logSeverityLevel: 3 });
  const outputs = await session.run({ [session.inputNames[0]!]: new ort.Tensor('float32', data, sizes) });
  const found = session.outputNames.map((name) => outputs[name]!);
  await session.release();
  return found.map((tensor) => ({ shape: [...tensor.dims], data: tensor.data as Float32Array }));
}

function byTfjs(model: tf.LayersModel, { data, sizes }: ReturnType<typeof input>) {
  return tf.tidy(() => {
    const outputs = model.predict(tf.tensor(data, sizes)) as tf.Tensor | tf.Tensor[];
    return [outputs].flat().map((tensor) => ({ shape: tensor.shape, data: tensor.dataSync() }));
  });
}

/** Every number within 1e-5, relative to the largest where that is above 1. */
async function expectSame(path: string, model: tf.LayersModel, shape: readonly number[]) {
  const points = input(shape);
  const [found, wanted] = [await byOnnx(path, points), byTfjs(model, points)];
  expect(found.map((one) => one.shape)).toEqual(wanted.map((one) => one.shape));
  wanted.forEach(({ data }, i) => {
    const size = Math.max(1, ...data.map(Math.abs));
    const furthest = Math.max(...data.map((value, k) => Math.abs(value - found[i]!.data[k]!)));
    expect(furthest).toBeLessThan(1e-5 * size);
    expect(data.some((value) => value !== data[0])).toBe(true);
  });
}

type Build = tf.layers.Layer | ((x: tf.SymbolicTensor) => tf.SymbolicTensor | tf.SymbolicTensor[]);

function modelOf(shape: readonly number[], build: Build): tf.LayersModel {
  const x = tf.input({ shape: [...shape] });
  const y = typeof build === 'function' ? build(x) : (build.apply(x) as tf.SymbolicTensor);
  const model = tf.model({ inputs: x, outputs: y });
  randomise(model);
  return model;
}

const through = (x: tf.SymbolicTensor, ...chain: tf.layers.Layer[]) =>
  chain.reduce((at, layer) => layer.apply(at) as tf.SymbolicTensor, x);

const IMAGE = [7, 6, 4];
const FIRST = [4, 7, 6];
const LINE = [9, 4];
const ACTIVATIONS = [
  ...['elu', 'gelu', 'hardSigmoid', 'linear', 'logSoftmax', 'mish', 'relu', 'relu6', 'selu', 'sigmoid'],
  ...['softmax', 'softplus', 'softsign', 'swish', 'tanh'],
] as const;

const CASES: Record<string, readonly [shape: readonly number[], build: () => Build]> = {
  Dense: [[5], () => layers.dense({ units: 3 })],
  'Dense without bias on rows': [
    [4, 5],
    () => layers.dense({ units: 3, useBias: false, activation: 'tanh' }),
  ],
  'Dense on rows': [[4, 5], () => layers.dense({ units: 3, activation: 'softmax' })],
  ...Object.fromEntries(
    ACTIVATIONS.map((name) => [
      `Activation ${name}`,
      [IMAGE, () => layers.activation({ activation: name as 'elu' })],
    ]),
  ),
  ReLU: [IMAGE, () => layers.reLU()],
  'ReLU with a maximum': [IMAGE, () => layers.reLU({ maxValue: 0.7 })],
  LeakyReLU: [IMAGE, () => layers.leakyReLU()],
  'LeakyReLU of another slope': [IMAGE, () => layers.leakyReLU({ alpha: 0.05 })],
  PReLU: [IMAGE, () => layers.prelu()],
  'PReLU with shared axes': [IMAGE, () => layers.prelu({ sharedAxes: [1, 2] })],
  ELU: [IMAGE, () => layers.elu()],
  ThresholdedReLU: [IMAGE, () => layers.thresholdedReLU({ theta: 0.4 })],
  Softmax: [[5], () => layers.softmax()],
  'Softmax of the last axis': [IMAGE, () => layers.softmax({ axis: -1 })],

  Conv1D: [LINE, () => layers.conv1d({ filters: 3, kernelSize: 4, activation: 'relu' })],
  'Conv1D with strides': [
    LINE,
    () => layers.conv1d({ filters: 3, kernelSize: 4, strides: 2, padding: 'same' }),
  ],
  'Conv1D dilated': [LINE, () => layers.conv1d({ filters: 3, kernelSize: 3, dilationRate: 2 })],
  Conv2D: [IMAGE, () => layers.conv2d({ filters: 5, kernelSize: 3 })],
  'Conv2D uneven': [
    IMAGE,
    () => layers.conv2d({ filters: 5, kernelSize: [2, 3], strides: [2, 1], padding: 'same', useBias: false }),
  ],
  'Conv2D same at stride 2': [
    IMAGE,
    () => layers.conv2d({ filters: 5, kernelSize: 3, strides: 2, padding: 'same' }),
  ],
  'Conv2D dilated': [
    IMAGE,
    () => layers.conv2d({ filters: 5, kernelSize: 2, dilationRate: [2, 3], padding: 'same' }),
  ],
  'Conv2D with an activation': [
    IMAGE,
    () => layers.conv2d({ filters: 5, kernelSize: 3, activation: 'softmax' }),
  ],
  'Conv2D with channels first': [
    FIRST,
    () =>
      layers.conv2d({ filters: 5, kernelSize: 3, strides: 2, padding: 'same', dataFormat: 'channelsFirst' }),
  ],
  DepthwiseConv2D: [IMAGE, () => layers.depthwiseConv2d({ kernelSize: 3 })],
  'DepthwiseConv2D with a multiplier': [
    IMAGE,
    () => layers.depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 3, strides: 2, padding: 'same' }),
  ],
  'DepthwiseConv2D with channels first': [
    FIRST,
    () => layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, dataFormat: 'channelsFirst' }),
  ],
  SeparableConv2D: [IMAGE, () => layers.separableConv2d({ filters: 5, kernelSize: 3, activation: 'relu' })],
  'SeparableConv2D dilated': [
    IMAGE,
    () => layers.separableConv2d({ filters: 5, kernelSize: 2, dilationRate: 2, useBias: false }),
  ],
  Conv2DTranspose: [IMAGE, () => layers.conv2dTranspose({ filters: 5, kernelSize: 3, strides: 2 })],
  'Conv2DTranspose same': [
    IMAGE,
    () => layers.conv2dTranspose({ filters: 5, kernelSize: [4, 3], strides: [2, 2], padding: 'same' }),
  ],
  'Conv2DTranspose with a small kernel': [
    IMAGE,
    () => layers.conv2dTranspose({ filters: 5, kernelSize: 2, strides: 3, activation: 'relu' }),
  ],
  'Conv2DTranspose with a small kernel, same': [
    IMAGE,
    () => layers.conv2dTranspose({ filters: 5, kernelSize: 2, strides: 3, padding: 'same' }),
  ],
  'Conv2DTranspose with channels first': [
    FIRST,
    () => layers.conv2dTranspose({ filters: 5, kernelSize: 3, dataFormat: 'channelsFirst', useBias: false }),
  ],

  MaxPooling1D: [LINE, () => layers.maxPooling1d({ poolSize: 2 })],
  'AveragePooling1D same': [
    LINE,
    () => layers.averagePooling1d({ poolSize: 4, strides: 2, padding: 'same' }),
  ],
  MaxPooling2D: [IMAGE, () => layers.maxPooling2d({ poolSize: 2 })],
  'MaxPooling2D same': [IMAGE, () => layers.maxPooling2d({ poolSize: [3, 2], strides: 2, padding: 'same' })],
  'AveragePooling2D same': [
    IMAGE,
    () => layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
  ],
  'MaxPooling2D with channels first': [
    FIRST,
    () => layers.maxPooling2d({ poolSize: 2, dataFormat: 'channelsFirst' }),
  ],
  GlobalMaxPooling1D: [LINE, () => layers.globalMaxPooling1d({})],
  GlobalAveragePooling1D: [LINE, () => layers.globalAveragePooling1d({})],
  GlobalMaxPooling2D: [IMAGE, () => layers.globalMaxPooling2d({})],
  GlobalAveragePooling2D: [IMAGE, () => layers.globalAveragePooling2d({})],
  'GlobalAveragePooling2D with channels first': [
    FIRST,
    () => layers.globalAveragePooling2d({ dataFormat: 'channelsFirst' }),
  ],

  BatchNormalization: [IMAGE, () => layers.batchNormalization()],
  'BatchNormalization of rows': [[5], () => layers.batchNormalization({ epsilon: 0.1 })],
  'BatchNormalization without scale': [IMAGE, () => layers.batchNormalization({ scale: false })],
  'BatchNormalization without centre': [IMAGE, () => layers.batchNormalization({ center: false })],
  LayerNormalization: [IMAGE, () => layers.layerNormalization()],
  'LayerNormalization of all axes': [IMAGE, () => layers.layerNormalization({ axis: [1, 2, 3] })],
  'LayerNormalization of the first': [IMAGE, () => layers.layerNormalization({ axis: 1, center: false })],
  Rescaling: [IMAGE, () => layers.rescaling({ scale: 1 / 127.5, offset: -1 })],

  Flatten: [IMAGE, () => layers.flatten()],
  'Flatten with channels first': [FIRST, () => layers.flatten({ dataFormat: 'channelsFirst' })],
  Reshape: [IMAGE, () => layers.reshape({ targetShape: [6, 28] })],
  'Reshape with an open size': [
    IMAGE,
    () => layers.reshape({ targetShape: [3, null as unknown as number, 2] }),
  ],
  Permute: [IMAGE, () => layers.permute({ dims: [3, 1, 2] })],
  RepeatVector: [[5], () => layers.repeatVector({ n: 4 })],
  ZeroPadding2D: [IMAGE, () => layers.zeroPadding2d({})],
  'ZeroPadding2D uneven': [
    IMAGE,
    () =>
      layers.zeroPadding2d({
        padding: [
          [0, 1],
          [2, 3],
        ],
      }),
  ],
  'ZeroPadding2D with channels first': [
    FIRST,
    () => layers.zeroPadding2d({ padding: [1, 2], dataFormat: 'channelsFirst' }),
  ],
  Cropping2D: [IMAGE, () => layers.cropping2D({ cropping: [[0, 1], [2, 0]] })], // prettier-ignore
  'Cropping2D with channels first': [
    FIRST,
    () => layers.cropping2D({ cropping: [1, 2], dataFormat: 'channelsFirst' }),
  ],
  UpSampling2D: [IMAGE, () => layers.upSampling2d({ size: [2, 3] })],
  'UpSampling2D bilinear': [IMAGE, () => layers.upSampling2d({ size: [2, 2], interpolation: 'bilinear' })],
  'UpSampling2D with channels first': [FIRST, () => layers.upSampling2d({ dataFormat: 'channelsFirst' })],
  Dropout: [[5], () => layers.dropout({ rate: 0.5 })],
  SpatialDropout1D: [LINE, () => layers.spatialDropout1d({ rate: 0.5 })],
  GaussianNoise: [[5], () => layers.gaussianNoise({ stddev: 1 })],
  GaussianDropout: [[5], () => layers.gaussianDropout({ rate: 0.5 })],
  AlphaDropout: [[5], () => layers.alphaDropout({ rate: 0.5 })],

  ...Object.fromEntries(
    (['add', 'multiply', 'average', 'maximum', 'minimum', 'concatenate'] as const).map((kind) => [
      {
        add: 'Add',
        multiply: 'Multiply',
        average: 'Average',
        maximum: 'Maximum',
        minimum: 'Minimum',
        concatenate: 'Concatenate',
      }[kind],
      [
        IMAGE,
        () => (x: tf.SymbolicTensor) => {
          const branches = [3, 1, 2].map((kernelSize) =>
            through(x, layers.conv2d({ filters: 4, kernelSize, padding: 'same' })),
          );
          return layers[kind]().apply(branches) as tf.SymbolicTensor;
        },
      ],
    ]),
  ),
  'Add of different ranks': [
    IMAGE,
    () => (x) => layers.add().apply([x, through(x, layers.globalMaxPooling2d({}))]) as tf.SymbolicTensor,
  ],
  'Concatenate of another axis': [
    IMAGE,
    () => (x) => layers.concatenate({ axis: 1 }).apply([x, through(x, layers.reLU())]) as tf.SymbolicTensor,
  ],
  Dot: [
    [5],
    () => (x) =>
      layers.dot({ axes: -1 }).apply([x, through(x, layers.dense({ units: 5 }))]) as tf.SymbolicTensor,
  ],
  'Dot of rows, normalised': [
    LINE,
    () => (x) =>
      layers
        .dot({ axes: [2, 1], normalize: true })
        .apply([
          x,
          through(x, layers.permute({ dims: [2, 1] }), layers.dense({ units: 6 })),
        ]) as tf.SymbolicTensor,
  ],
};

describe('each kind of layer gives the scores of tfjs', () => {
  it.each(Object.entries(CASES))('%s', async (_, [shape, build]) => {
    const model = modelOf(shape, build());
    await expectSame(await saved.save(model), model, shape);
    model.dispose();
  });

  it('SeparableConv2D with a multiplier, which tfjs forgets to save', async () => {
    const model = modelOf(
      IMAGE,
      layers.separableConv2d({ filters: 5, kernelSize: 3, depthMultiplier: 2, strides: 2, padding: 'same' }),
    );
    const edit = ({ modelTopology }: ModelJson) => {
      const [, layer] = (modelTopology['config'] as { layers: { config: Record<string, unknown> }[] }).layers;
      layer!.config['depth_multiplier'] = 2;
    };
    await expectSame(await saved.save(model, { edit }), model, IMAGE);
  });

  it.each([
    ['channels first', 1],
    ['the middle', 2],
  ])('BatchNormalization of %s, which tfjs gets wrong on the CPU', async (_, axis) => {
    const model = modelOf(IMAGE, layers.batchNormalization({ axis, epsilon: 0.01 }));
    const points = input(IMAGE);
    const shape = [0, 1, 2, 3].map((i) => (i === axis ? IMAGE[axis - 1]! : 1));
    const [gamma, beta, mean, variance] = model.getWeights().map((weight) => weight.reshape(shape));
    const wanted = tf
      .tensor(points.data, points.sizes)
      .sub(mean!)
      .div(variance!.add(0.01).sqrt())
      .mul(gamma!)
      .add(beta!)
      .dataSync();
    const [found] = await byOnnx(await saved.save(model), points);
    expect(Math.max(...wanted.map((value, i) => Math.abs(value - found!.data[i]!)))).toBeLessThan(1e-5);
  });

  it('has a case for every kind', () => {
    // tfjs has no layers of these two.
    const elsewhere = new Set(['Subtract', 'SpatialDropout2D']);
    const kinds = new Set(Object.keys(CASES).map((name) => name.split(' ')[0]));
    expect([...LAYERS.keys()].filter((kind) => !kinds.has(kind) && !elsewhere.has(kind))).toEqual([]);
  });
});

it('README.md names every kind of layer', () => {
  const page = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('`'));
  const named = rows.flatMap((line) => [...line.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  expect(named.toSorted()).toEqual([...LAYERS.keys()].sort());
});

const classifier = () =>
  tf.sequential({
    layers: [
      layers.conv2d({
        inputShape: [12, 12, 1],
        filters: 4,
        kernelSize: 3,
        activation: 'relu',
        padding: 'same',
      }),
      layers.batchNormalization(),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.depthwiseConv2d({ kernelSize: 3, padding: 'same' }),
      layers.dropout({ rate: 0.3 }),
      layers.flatten(),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });

const residual = () => {
  const x = tf.input({ shape: [8, 8, 2] });
  const shared = layers.conv2d({ filters: 2, kernelSize: 3, padding: 'same' });
  const once = through(x, shared, layers.reLU());
  const twice = through(once, shared);
  const sum = layers.add().apply([x, twice]) as tf.SymbolicTensor;
  const features = through(sum, layers.globalAveragePooling2d({}));
  return tf.model({
    inputs: x,
    outputs: [through(features, layers.dense({ units: 3 })), through(features, layers.dense({ units: 2 }))],
  });
};

const nested = () => {
  const inner = tf.sequential({
    layers: [
      layers.conv2d({ inputShape: [8, 8, 2], filters: 2, kernelSize: 3, padding: 'same' }),
      layers.reLU(),
    ],
  });
  const x = tf.input({ shape: [8, 8, 2] });
  const both = layers
    .add()
    .apply([
      inner.apply(x) as tf.SymbolicTensor,
      inner.apply(through(x, layers.reLU())) as tf.SymbolicTensor,
    ]);
  const head = tf.sequential({
    layers: [layers.flatten({ inputShape: [8, 8, 2] }), layers.dense({ units: 4 })],
  });
  return tf.model({ inputs: x, outputs: head.apply(both as tf.SymbolicTensor) as tf.SymbolicTensor });
};

describe('whole models give the scores of tfjs', () => {
  it.each([
    ['sequential', classifier, [12, 12, 1]],
    ['functional, with a layer that is called twice and two outputs', residual, [8, 8, 2]],
    ['models within a model', nested, [8, 8, 2]],
  ] as const)('%s', async (_, build, shape) => {
    const model = build();
    randomise(model);
    await expectSame(await saved.save(model, { shards: 3 }), model, shape);
    model.dispose();
  });

  it('takes any height and width where the model does', async () => {
    const model = tf.sequential({
      layers: [
        layers.conv2d({
          inputShape: [null, null, 2],
          filters: 3,
          kernelSize: 3,
          strides: 2,
          padding: 'same',
        }),
        layers.globalMaxPooling2d({}),
      ],
    });
    randomise(model);
    const path = await saved.save(model);
    await expectSame(path, model, [5, 8, 2]);
    await expectSame(path, model, [9, 4, 2]);
  });
});

describe('files of tensorflowjs_converter give the scores of Keras', () => {
  it.each(['keras-2', 'keras-3'])('%s', async (name) => {
    const folder = fileURLToPath(new URL(`../../../fixtures/tfjs/${name}/`, import.meta.url));
    const { x, scores } = JSON.parse(readFileSync(`${folder}answers.json`, 'utf8')) as Record<
      'x' | 'scores',
      number[]
    >;
    const [found] = await byOnnx(`${folder}model.json`, {
      data: Float32Array.from(x),
      sizes: [ROWS, 8, 8, 3],
    });
    expect(found!.shape).toEqual([ROWS, 5]);
    expect(Math.max(...scores.map((score, i) => Math.abs(score - found!.data[i]!)))).toBeLessThan(1e-5);
    expect(new Set(scores).size).toBe(scores.length);
  });
});

describe('quantised weights are read as tfjs reads them', () => {
  it.each(['uint8', 'uint16', 'float16'] as const)('%s', async (dtype) => {
    const model = classifier();
    randomise(model);
    const path = await saved.save(model);
    quantise(path, dtype);
    await expectSame(path, await loaded(path), [12, 12, 1]);
  });
});
