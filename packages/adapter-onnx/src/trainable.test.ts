import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Optimiser, OpenModel, TrainableModel } from '@gauntlet/core';
import { crossEntropy, softCrossEntropy } from '@gauntlet/kit';
import { readModel } from '@gauntlet/onnx';
import { take, type Tensor } from '@gauntlet/tensor';
import { openOnnx } from './open.js';
import { chain, floats, temporary } from './testing/files.js';
import { readNpz } from './testing/npz.js';
import { trainOnnx } from './trainable.js';

const FOLDER = fileURLToPath(new URL('../../../fixtures/training/', import.meta.url));
const DIGITS = `${FOLDER}digits.onnx`;
const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.npz'))
  .map((file) => file.slice(0, -4));
const folder = temporary();
afterAll(() => folder.remove());

const ADAM: Optimiser = { kind: 'adam', rate: 1e-2 };
const open = (path: string, optimiser: Optimiser = ADAM) =>
  trainOnnx(path, { bounds: [0, 1], trial: false, optimiser });
const record = (name: string) => readNpz(`${FOLDER}${name}.npz`) as Record<string, Tensor>;
const learning = (y: Tensor) =>
  crossEntropy({ kind: 'untargeted', classes: Int32Array.from(y.data), confidence: 0 });

/** The recorded tensors of a kind by the names of their weights. */
const recorded = (all: Record<string, Tensor>, kind: string) =>
  Object.entries(all).flatMap(([key, value]) =>
    key.startsWith(`${kind}:`) ? [[key.slice(kind.length + 1), value.data] as const] : [],
  );

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The largest difference by the largest expected number, or by `scale` where that is larger. */
function errorOf(found: Float32Array, expected: Float32Array, scale = 0): number {
  expect(found.length).toBe(expected.length);
  return largest(found.map((value, i) => value - expected[i]!)) / Math.max(scale, largest(expected));
}

describe('gradients by all weights', () => {
  it.each(names)('%s equal those of PyTorch', async (name) => {
    const all = record(name);
    // One step of plain descent subtracts the gradient; at a large rate, little is lost to rounding.
    const rate = 1000;
    const model = await open(`${FOLDER}${name}.onnx`, { kind: 'sgd', rate, momentum: 0 });
    const { weights: before } = await model.state();
    const { loss } = await model.update(all['x']!, learning(all['y']!));
    const { weights: after } = await model.state();
    const gradients = recorded(all, 'grad');
    expect(Object.keys(before).sort()).toEqual(gradients.map(([key]) => key).sort());
    // A bias before a normalisation has no gradient: what is found is rounding.
    const scale = 1e-2 * Math.max(...gradients.map(([, gradient]) => largest(gradient)));
    for (const [key, expected] of gradients) {
      const found = before[key]!.data.map((value, i) => (value - after[key]!.data[i]!) / rate);
      expect([key, Math.max(1e-5, errorOf(found, expected, scale))]).toEqual([key, 1e-5]);
    }
    const mean = loss.reduce((sum, value) => sum + value, 0) / loss.length;
    expect(mean).toBeCloseTo(all['loss']!.data[0]!, 5);
    await model.close();
  });
});

describe('optimisers', () => {
  // Adam divides each gradient by its size: where that is rounding, so is the step.
  it.each<[string, Optimiser, number]>([
    ['adam', ADAM, 1e-4],
    ['sgd', { kind: 'sgd', rate: 0.1, momentum: 0.9 }, 1e-5],
  ])('%s moves the weights as that of PyTorch in three steps', async (kind, optimiser, limit) => {
    const all = record('digits');
    const model = await open(DIGITS, optimiser);
    for (let step = 0; step < 3; step++) await model.update(all['x']!, learning(all['y']!));
    const { weights } = await model.state();
    for (const [key, expected] of recorded(all, kind)) {
      expect([key, Math.max(limit, errorOf(weights[key]!.data, expected))]).toEqual([key, limit]);
    }
    await model.close();
  });
});

describe('a trainable model', () => {
  let model: TrainableModel;
  let all: Record<string, Tensor>;
  const update = () => model.update(all['x']!, learning(all['y']!));
  beforeAll(async () => {
    all = record('digits');
    model = await open(DIGITS);
  });
  afterAll(() => model.close());

  it('answers by its present weights, as the file that it saves does', async () => {
    const loss = learning(all['y']!);
    const before = await model.gradient(all['x']!, loss);
    expect((await update()).scores.data).toEqual(before.scores.data);
    const after = await model.gradient(all['x']!, loss);
    expect(after.loss.reduce((sum, l) => sum + l)).toBeLessThan(before.loss.reduce((sum, l) => sum + l));
    const path = join(folder.path, 'saved.onnx');
    await model.save(path, { 'gauntlet.defence': 'defence/test' });
    const saved = (await openOnnx(path, { bounds: [0, 1], trial: false })) as OpenModel<'gradients'>;
    const found = await saved.gradient(all['x']!, loss);
    expect(errorOf(found.scores.data, after.scores.data)).toBeLessThan(1e-5);
    expect(errorOf(found.gradient.data, after.gradient.data)).toBeLessThan(1e-5);
    expect(errorOf((await model.scores(all['x']!)).data, after.scores.data)).toBeLessThan(1e-5);
    await saved.close();
  });

  it('saves the file that it opened, with other weights and its provenance', async () => {
    const path = join(folder.path, 'provenance.onnx');
    await model.save(path, { 'gauntlet.defence': 'defence/test', 'gauntlet.seed': '0' });
    const again = await open(path);
    await again.save(path, { 'gauntlet.seed': '1' });
    await again.close();
    const [original, saved] = [DIGITS, path].map((each) => readModel(readFileSync(each)));
    expect(saved!.metadataProps.map(({ key, value }) => [key, value])).toEqual([
      ['gauntlet.defence', 'defence/test'],
      ['gauntlet.seed', '1'],
    ]);
    const plain = (one: typeof saved) => ({
      ...one!,
      metadataProps: [],
      graph: {
        ...one!.graph!,
        initializer: one!.graph!.initializer.map(({ name, dims }) => ({ name, dims })),
      },
    });
    expect(plain(saved)).toEqual(plain(original));
    expect(existsSync(`${path}.tmp`)).toBe(false);
  });

  it('goes back to a state, memory and all', async () => {
    const start = await model.state();
    await update();
    const first = await model.state();
    await update();
    const second = await model.state();
    await model.restore(first);
    await update();
    expect(await model.state()).toEqual(second);
    await model.restore({ weights: start.weights });
    await update();
    const anew = await model.state();
    expect(anew.memory!['steps']!.data[0]).toBe(1);
    expect(anew).not.toEqual(first);
    await expect(model.restore({ weights: {} })).rejects.toThrow(/state without the weight "0.weight"/);
  });

  it('starts from fresh weights as PyTorch does: uniform within 1 / sqrt(fan)', async () => {
    await model.initialise(3);
    const { weights, memory } = await model.state();
    expect(memory).toBeUndefined();
    const fans = { '0': 16, '2': 64, '5': 392, '7': 16 };
    for (const [layer, fan] of Object.entries(fans)) {
      for (const name of [`${layer}.weight`, `${layer}.bias`]) {
        const { data } = weights[name]!;
        const bound = 1 / Math.sqrt(fan);
        expect(largest(data)).toBeLessThanOrEqual(bound);
        // The mean square of a uniform number is a third of its bound's.
        const square = data.reduce((sum, value) => sum + value ** 2, 0) / data.length;
        if (data.length > 100) expect(square / (bound ** 2 / 3)).toBeCloseTo(1, 0);
      }
    }
    await model.initialise(4);
    expect((await model.state()).weights).not.toEqual(weights);
    await model.initialise(3);
    expect((await model.state()).weights).toEqual(weights);
  });

  it('learns from distributions', async () => {
    await model.initialise(0);
    const target = { data: new Float32Array(200).fill(0.1), shape: [20, 10] };
    for (let step = 0; step < 50; step++) await model.update(all['x']!, softCrossEntropy(target, 5));
    const { data } = await model.scores(all['x']!);
    // The uniform distribution is met where all scores are equal.
    expect(largest(data.map((value, i) => value - data[i - (i % 10)]!))).toBeLessThan(0.2);
  });

  it('takes batches of any size', async () => {
    const one = take(all['x']!, [3]);
    const { loss, scores } = await model.update(one, learning(take(all['y']!, [3])));
    expect([loss.length, scores.shape]).toEqual([1, [1, 10]]);
  });
});

it('leaves running statistics as they are', async () => {
  const path = `${FOLDER}convolutions-torchscript.onnx`;
  const all = record('convolutions-torchscript');
  const model = await open(path);
  for (let step = 0; step < 3; step++) await model.update(all['x']!, learning(all['y']!));
  const saved = join(folder.path, 'statistics.onnx');
  await model.save(saved, {});
  await model.close();
  const contents = (file: string) =>
    new Map(readModel(readFileSync(file)).graph!.initializer.map(({ name, rawData }) => [name, rawData]));
  const [before, after] = [contents(path), contents(saved)];
  for (const [name, bytes] of before) {
    const same = /running|num_batches|Constant|onnx::/.test(name);
    expect([name, Buffer.from(bytes).equals(Buffer.from(after.get(name)!))]).toEqual([name, same]);
  }
});

describe('models that cannot be trained', () => {
  it.each<[string, string, RegExp]>([
    [
      'without weights',
      folder.model(chain(['N', 3], (graph, x) => graph.node('Mul', [x, floats(graph, [3], [1, 2, 3])]))),
      /^Unexpected model model-\d.onnx without weights at .*, expected float32 initialisers/,
    ],
    [
      'of a fixed batch',
      folder.model(chain([1, 2], (graph, x) => graph.node('Gemm', [x, floats(graph, [2, 2], [1, 2, 3, 4])]))),
      /^Unexpected model for batches of 1 at .*, expected one that takes batches of any size/,
    ],
    [
      'without gradients',
      folder.model(
        chain(['N', 2], (graph, x) =>
          graph.node('Hardmax', [graph.node('Gemm', [x, floats(graph, [2, 2], [1, 2, 3, 4])])]),
        ),
      ),
      /^Unexpected model without gradients at .*, expected one that can be differentiated/,
    ],
  ])('%s', async (_, path, sentence) => {
    await expect(open(path)).rejects.toThrow(sentence);
  });
});
