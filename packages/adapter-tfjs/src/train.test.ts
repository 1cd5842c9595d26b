import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import onnx from '@gauntlet/adapter-onnx';
import type { OpenModel, Optimiser, TrainableModel } from '@gauntlet/core';
import { crossEntropy, softCrossEntropy } from '@gauntlet/kit';
import { tensor } from '@gauntlet/tensor';
import * as tf from '@tensorflow/tfjs';
import { openTfjs, trainTfjs, type TrainTfjsSettings } from './index.js';
import { goalOf, images, relative } from './testing/compare.js';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/tfjs/', import.meta.url));
const MODEL = `${FIXTURES}digits/model.json`;
const user = mkdtempSync(join(tmpdir(), 'gauntlet-tfjs-'));
afterAll(() => rmSync(user, { recursive: true, force: true }));
beforeAll(async () => {
  tf.enableProdMode();
  await tf.setBackend('cpu');
});

const ADAM: Optimiser = { kind: 'adam', rate: 1e-2 };
const open = (source: Parameters<typeof trainTfjs>[0], settings: Partial<TrainTfjsSettings> = {}) =>
  trainTfjs(source, { tf, bounds: [0, 1], optimiser: ADAM, check: false, ...settings });
const { x, y } = images(6);
const loss = crossEntropy(goalOf(y));
const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('steps in tfjs are those in ONNX Runtime', () => {
  it.each<[string, Optimiser, number]>([
    ['sgd', { kind: 'sgd', rate: 0.1, momentum: 0.9 }, 1e-5],
    // Adam divides each gradient by its size: where that is rounding, so is the step.
    ['adam', ADAM, 1e-3],
  ])('%s', async (_, optimiser, limit) => {
    const models = await Promise.all([
      open(MODEL, { optimiser }),
      onnx.train!(MODEL, { bounds: [0, 1], optimiser }),
    ]);
    for (let step = 0; step < 3; step++) {
      const [found, wanted] = await Promise.all(models.map((model) => model.update(x, loss)));
      expect(relative(found!.scores.data, wanted!.scores.data)).toBeLessThan(limit);
      expect(relative(found!.loss, wanted!.loss)).toBeLessThan(10 * limit);
    }
    const [found, wanted] = await Promise.all(models.map((model) => model.scores(x)));
    expect(relative(found!.data, wanted!.data)).toBeLessThan(limit);
    await Promise.all(models.map((model) => model.close()));
  });
});

describe('a trainable model', () => {
  let model: TrainableModel;
  beforeAll(async () => (model = await open(MODEL)));
  afterAll(() => model.close());

  it('has the trainable weights of its layers', async () => {
    const { weights, memory } = await model.state();
    expect(Object.keys(weights)).toEqual([
      'conv_1/kernel',
      'conv_1/bias',
      'conv_2/kernel',
      'normalisation/gamma',
      'normalisation/beta',
      'scores/kernel',
      'scores/bias',
    ]);
    expect(memory).toBeUndefined();
  });

  it('answers by its present weights, as the file that it saves does', async () => {
    const before = await model.scores(x);
    expect((await model.update(x, loss)).scores.data).toEqual(before.data);
    const after = await model.gradient(x, loss);
    expect(relative(after.scores.data, before.data)).toBeGreaterThan(1e-3);
    const path = join(user, 'hardened.json');
    await model.save(path, { 'gauntlet.defence': 'defence/test' });
    const saved = (await openTfjs(path, { tf, bounds: [0, 1] })) as OpenModel<'gradients'>;
    expect(await saved.gradient(x, loss)).toEqual(after);
    await saved.close();
    const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    const original = JSON.parse(readFileSync(MODEL, 'utf8')) as Record<string, unknown>;
    expect(json['modelTopology']).toEqual(original['modelTopology']);
    expect(json['userDefinedMetadata']).toEqual({ 'gauntlet.defence': 'defence/test' });
  });

  it('leaves running statistics as they are', async () => {
    const statistics = async (path: string) => {
      const { modelTopology, weightsManifest } = JSON.parse(readFileSync(path, 'utf8')) as {
        modelTopology: object;
        weightsManifest: { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[];
      };
      const [{ paths, weights } = { paths: [''], weights: [] }] = weightsManifest;
      const weightData = new Uint8Array(readFileSync(join(path, '..', paths[0]!))).buffer;
      const own = await tf.loadLayersModel(
        tf.io.fromMemory({ modelTopology, weightSpecs: weights, weightData }),
      );
      const found = own
        .getLayer('normalisation')
        .getWeights()
        .map((weight) => [...weight.dataSync()]);
      own.dispose();
      return found;
    };
    const path = join(user, 'statistics.json');
    await model.update(x, loss);
    await model.save(path, {});
    const [found, wanted] = [await statistics(path), await statistics(MODEL)];
    // gamma and beta are weights; mean and variance are not.
    expect(found.slice(2)).toEqual(wanted.slice(2));
    expect(found[0]).not.toEqual(wanted[0]);
  });

  it('goes back to a state, memory and all', async () => {
    const start = await model.state();
    await model.update(x, loss);
    const first = await model.state();
    await model.update(x, loss);
    const second = await model.state();
    await model.restore(first);
    await model.update(x, loss);
    expect(await model.state()).toEqual(second);
    await model.restore({ weights: start.weights });
    await model.update(x, loss);
    expect((await model.state()).memory!['steps']!.data[0]).toBe(1);
    await expect(model.restore({ weights: {} })).rejects.toThrow(/state without the weight "conv_1\/kernel"/);
  });

  it('starts from fresh weights: uniform within 1 / sqrt(fan), the same for the same seed', async () => {
    await model.initialise(3);
    const { weights, memory } = await model.state();
    expect(memory).toBeUndefined();
    const fans = {
      'conv_1/kernel': 25,
      'conv_1/bias': 25,
      'conv_2/kernel': 72,
      'scores/kernel': 784,
      'scores/bias': 784,
    };
    for (const [name, fan] of Object.entries(fans)) {
      const { data } = weights[name]!;
      const bound = 1 / Math.sqrt(fan);
      expect([name, largest(data) <= bound]).toEqual([name, true]);
      // The mean square of a uniform number is a third of its bound's.
      const square = data.reduce((sum, value) => sum + value ** 2, 0) / data.length;
      if (data.length > 100) expect(square / (bound ** 2 / 3)).toBeCloseTo(1, 0);
    }
    expect([...weights['normalisation/gamma']!.data]).toEqual(Array(16).fill(1));
    await model.initialise(4);
    expect((await model.state()).weights).not.toEqual(weights);
    await model.initialise(3);
    expect((await model.state()).weights).toEqual(weights);
  });

  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const own = await open(MODEL);
    const opened = tf.memory().numTensors;
    await own.update(x, loss);
    await own.restore(await own.state());
    await own.initialise(1);
    await own.save(join(user, 'tensors.json'), {});
    expect(tf.memory().numTensors).toBe(opened);
    await own.close();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('learns from distributions', async () => {
  const model = await open(tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [784] })] }));
  const flat = tensor(x.data, [6, 784]);
  const target = tensor(new Float32Array(18).fill(1 / 3), [6, 3]);
  await model.initialise(1);
  for (let step = 0; step < 200; step++) await model.update(flat, softCrossEntropy(target, 5));
  const { data } = await model.scores(flat);
  // The uniform distribution is met where all scores are equal.
  expect(largest(data.map((value, i) => value - data[i - (i % 3)]!))).toBeLessThan(0.05);
});

it('saves a live model, whole or not at all', async () => {
  const live = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [4] })] });
  const model = await open(live);
  const points = tensor(Float32Array.of(0.1, 0.2, 0.3, 0.4), [1, 4]);
  const path = join(user, 'live.json');
  await model.save(path, { seed: '1' });
  await model.save(path, { seed: '2' });
  const saved = await openTfjs(path, { tf, bounds: [0, 1] });
  expect(await saved.scores(points)).toEqual(await model.scores(points));
  writeFileSync(join(user, 'file'), '');
  await expect(model.save(join(user, 'file', 'no.json'), {})).rejects.toThrow();
  expect(readdirSync(user).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

describe('models that cannot be trained', () => {
  it('GraphModels', async () => {
    await expect(open(`${FIXTURES}digits-graph`)).rejects.toThrow(
      /^Unexpected GraphModel at .*digits-graph, expected a LayersModel with trainable weights/,
    );
  });

  it('models whose layers are frozen', async () => {
    const live = tf.sequential({
      layers: [tf.layers.dense({ units: 3, inputShape: [4], trainable: false })],
    });
    await expect(open(live)).rejects.toThrow(
      /^Unexpected model without weights at .*Make its layers trainable\.$/,
    );
  });
});
