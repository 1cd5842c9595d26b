import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Loss, OpenModel } from '@gauntlet/core';
import { openOnnx } from '@gauntlet/adapter-onnx';
import { crossEntropy, margin } from '@gauntlet/kit';
import { like, row, rows, stream, type Tensor, tensor } from '@gauntlet/tensor';
import * as tf from '@tensorflow/tfjs';
import { openTfjs, type OpenTfjsSettings } from './index.js';
import { errorsOf, fgsm, goalOf, images, relative } from './testing/compare.js';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/tfjs/', import.meta.url));
const user = mkdtempSync(join(tmpdir(), 'gauntlet-tfjs-'));
afterAll(() => rmSync(user, { recursive: true, force: true }));
beforeAll(async () => {
  tf.enableProdMode();
  await tf.setBackend('cpu');
});

const open = (source: Parameters<typeof openTfjs>[0], settings: Partial<OpenTfjsSettings> = {}) =>
  openTfjs(source, { tf, bounds: [0, 1], ...settings }) as Promise<OpenModel<'gradients'>>;
const byOnnx = () =>
  openOnnx(`${FIXTURES}digits.onnx`, { bounds: [0, 1], trial: false }) as Promise<OpenModel<'gradients'>>;

describe.each([
  ['LayersModel', `${FIXTURES}digits/model.json`],
  ['GraphModel', `${FIXTURES}digits-graph/model.json`],
])('a %s and the ONNX file of the same training', (_, path) => {
  let models: OpenModel<'gradients'>[] = [];
  beforeAll(async () => (models = [await open(path), await byOnnx()]));
  afterAll(() => Promise.all(models.map((model) => model.close())));

  it.each([
    ['cross-entropy', crossEntropy],
    ['margin', margin],
  ])('have the gradient of %s within 1e-4, and every pixel of FGSM', async (_name, loss) => {
    const { x, y } = images(24);
    const [found, wanted] = await Promise.all(models.map((model) => model.gradient(x, loss(goalOf(y)))));
    expect(relative(found!.scores.data, wanted!.scores.data)).toBeLessThan(1e-5);
    expect(relative(found!.loss, wanted!.loss)).toBeLessThan(1e-5);
    for (let i = 0; i < rows(x); i++) {
      expect(relative(row(found!.gradient, i), row(wanted!.gradient, i))).toBeLessThan(1e-4);
    }
    expect(errorsOf(fgsm(x, found!.gradient), fgsm(x, wanted!.gradient), wanted!.gradient)).toBe(0);
  });

  it('say what they are in the same words', () => {
    const [found, wanted] = models;
    expect(found).toMatchObject({ input: wanted!.input, classes: wanted!.classes, access: 'gradients' });
  });
});

/** What a model leaves behind in tfjs. */
async function left(use: () => Promise<unknown>): Promise<number> {
  const before = tf.memory().numTensors;
  await use();
  return tf.memory().numTensors - before;
}

describe('tensors', () => {
  const loss: Loss = crossEntropy(goalOf(Int32Array.of(1, 2, 3)));

  it.each(['digits', 'digits-graph'])('of %s are all gone when it is closed', async (name) => {
    const { x } = images(3);
    const found = await left(async () => {
      const model = await open(`${FIXTURES}${name}`);
      expect(await left(() => model.gradient(x, loss))).toBe(0);
      expect(await left(() => model.scores(x))).toBe(0);
      expect(await left(() => model.labels(x))).toBe(0);
      const short = { ...loss, classes: {} };
      expect(await left(() => model.gradient(x, short).catch(() => null))).toBe(0);
      await model.close();
    });
    expect(found).toBe(0);
  });

  it('of a live model stay', async () => {
    const layer = tf.layers.dense({ units: 3, inputShape: [4], activation: 'softmax' });
    const live = tf.sequential({ layers: [layer] });
    expect(
      await left(async () => {
        const model = await open(live);
        await model.scores(tensor(new Float32Array(4), [1, 4]));
        await model.close();
      }),
    ).toBe(0);
    expect(live.getWeights()[0]!.isDisposed).toBe(false);
    live.dispose();
  });

  it('of a model that is refused are gone, too', async () => {
    const refused = () => open(`${FIXTURES}digits`, { output: 'other' }).catch(() => null);
    expect(await left(refused)).toBe(0);
  });
});

describe('scores', () => {
  const numbers = (n: number) => {
    const random = stream('numbers', n);
    return tensor(
      Float32Array.from({ length: n * 4 }, () => random.uniform()),
      [n, 4],
    );
  };
  const dense = (units: number, activation: 'softmax' | 'sigmoid' | 'linear') =>
    tf.layers.dense({
      units,
      activation,
      kernelInitializer: 'glorotNormal',
      biasInitializer: 'randomNormal',
    });
  /** x W + b, by hand. */
  const logits = (x: Tensor, layer: tf.layers.Layer) => {
    const [weights, bias] = layer.getWeights();
    return tf
      .tensor2d(x.data, [rows(x), 4])
      .matMul(weights!)
      .add(bias!)
      .dataSync<'float32'>();
  };

  it.each<[string, (head: tf.layers.Layer, x: tf.SymbolicTensor) => tf.SymbolicTensor]>([
    ['a softmax in the last layer', (head, x) => head.apply(x) as tf.SymbolicTensor],
    [
      'a softmax in an activation',
      (head, x) => tf.layers.activation({ activation: 'softmax' }).apply(bare(head, x)) as tf.SymbolicTensor,
    ],
    ['a layer of softmax', (head, x) => tf.layers.softmax().apply(bare(head, x)) as tf.SymbolicTensor],
    [
      'a softmax at the end of a model within the model',
      (head, x) =>
        tf
          .sequential({ layers: [tf.layers.inputLayer({ inputShape: [4] }), head] })
          .apply(x) as tf.SymbolicTensor,
    ],
  ])('are those before %s, and follow the weights', async (_, build) => {
    const head = dense(3, 'softmax');
    const input = tf.input({ shape: [4] });
    const live = tf.model({
      inputs: input,
      outputs: build(head, tf.layers.reLU().apply(input) as tf.SymbolicTensor),
    });
    const own = live.layers.map((layer) =>
      'layers' in layer ? (layer as tf.LayersModel).layers.at(-1)! : layer,
    );
    const layer = own.find((each) => each.getWeights().length > 0)!;
    const model = await open(live);
    const x = numbers(5);
    expect(relative((await model.scores(x)).data, logits(x, layer))).toBeLessThan(1e-6);
    layer.setWeights(layer.getWeights().map((weight) => weight.mul(-2)));
    expect(relative((await model.scores(x)).data, logits(x, layer))).toBeLessThan(1e-6);
    const summed = (live.predict(tf.tensor2d(x.data, [5, 4])) as tf.Tensor).sum().dataSync()[0];
    expect(summed).toBeCloseTo(5, 5);
  });

  /** The layer's numbers without its activation. */
  function bare(head: tf.layers.Layer, x: tf.SymbolicTensor): tf.SymbolicTensor {
    const config = { ...head.getConfig(), activation: 'linear' } as unknown as { units: number };
    return tf.layers.dense(config).apply(x) as tf.SymbolicTensor;
  }

  it('are [0, z] where there is one logit', async () => {
    const head = dense(1, 'sigmoid');
    const model = await open(tf.sequential({ layers: [tf.layers.inputLayer({ inputShape: [4] }), head] }));
    const x = numbers(3);
    const z = logits(x, head);
    const { data } = await model.scores(x);
    expect(Array.from(data)).toEqual([...z].flatMap((value) => [0, expect.closeTo(value, 5)]));
    expect(model.classes).toBe(2);
  });

  it('take mean and standard deviation inside', async () => {
    const head = dense(3, 'linear');
    const live = tf.sequential({ layers: [tf.layers.inputLayer({ inputShape: [4] }), head] });
    const model = await open(live, { mean: [0.1, 0.2, 0.3, 0.4], std: [2, 2, 2, 4] });
    const x = numbers(2);
    const normal = like(
      x,
      x.data.map((value, i) => (value - [0.1, 0.2, 0.3, 0.4][i % 4]!) / (i % 4 === 3 ? 4 : 2)),
    );
    expect(relative((await model.scores(x)).data, logits(normal, head))).toBeLessThan(1e-6);
  });

  it('come from the output that is named', async () => {
    const input = tf.input({ shape: [4] });
    const heads = [dense(2, 'linear'), dense(3, 'linear')];
    const live = tf.model({
      inputs: input,
      outputs: heads.map((head) => head.apply(input) as tf.SymbolicTensor),
    });
    const model = await open(live, { output: heads[1]!.name });
    const x = numbers(2);
    expect(relative((await model.scores(x)).data, logits(x, heads[1]!))).toBeLessThan(1e-6);
    await expect(open(live)).rejects.toThrow(
      /^Unexpected 2 outputs at .*, expected one of its outputs \(.*\)\. Name the output that holds the scores with --output\.$/,
    );
  });

  it('are the same with channels first', async () => {
    const first = { dataFormat: 'channelsFirst' } as const;
    const conv = (format: object) =>
      tf.layers.conv2d({
        filters: 3,
        kernelSize: 3,
        strides: 2,
        padding: 'same',
        activation: 'relu',
        ...format,
      });
    const [a, b] = [
      tf.sequential({
        layers: [
          tf.layers.inputLayer({ inputShape: [2, 6, 6] }),
          conv(first),
          tf.layers.globalAveragePooling2d(first),
        ],
      }),
      tf.sequential({
        layers: [
          tf.layers.inputLayer({ inputShape: [6, 6, 2] }),
          conv({}),
          tf.layers.globalAveragePooling2d({}),
        ],
      }),
    ];
    b!.setWeights(a!.getWeights());
    const [nchw, nhwc] = [await open(a!), await open(b!)];
    const random = stream('layouts');
    const data = Float32Array.from({ length: 2 * 72 }, () => random.uniform());
    const x = tensor(data, [2, 2, 6, 6]);
    const turned = (points: Tensor) =>
      tensor(
        tf.tensor(points.data, [2, 2, 6, 6]).transpose([0, 2, 3, 1]).dataSync<'float32'>(),
        [2, 6, 6, 2],
      );
    const loss = crossEntropy(goalOf(Int32Array.of(0, 1)));
    const [found, wanted] = [await nchw.gradient(x, loss), await nhwc.gradient(turned(x), loss)];
    expect(relative(found.scores.data, wanted.scores.data)).toBeLessThan(1e-5);
    expect(relative(turned(found.gradient).data, wanted.gradient.data)).toBeLessThan(1e-5);
  });
});

describe('gradients that are not to be trusted', () => {
  /** Pads by mirroring, whose gradient is wrong in every backend of tfjs 4. */
  class Mirror extends tf.layers.Layer {
    static className = 'Mirror';
    override computeOutputShape([n, h, w, c]: number[]) {
      return [n!, h! + 2, w! + 2, c!];
    }
    override call(inputs: tf.Tensor | tf.Tensor[]) {
      const x = [inputs].flat()[0] as tf.Tensor4D;
      return tf.mirrorPad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], 'reflect'); // prettier-ignore
    }
  }
  const mirrored = () =>
    tf.sequential({
      layers: [
        tf.layers.conv2d({ inputShape: [6, 6, 1], filters: 2, kernelSize: 3, name: 'before' }),
        new Mirror({ name: 'mirror' }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 3 }),
      ],
    });

  it('are found by differences, and the layer is named', async () => {
    const notices: string[] = [];
    const model = await open(mirrored(), { onNotice: (notice) => notices.push(notice) });
    expect(model).toMatchObject({ access: 'scores' });
    expect('gradient' in model).toBe(false);
    expect(notices).toEqual([
      expect.stringMatching(
        /offers no gradients.* The gradient of tfjs on the backend cpu is wrong at layer "mirror" \(Mirror\)\.$/,
      ),
    ]);
    expect(await open(mirrored(), { check: false })).toMatchObject({ access: 'gradients' });
  });

  it('are missing for some ops, which are named', async () => {
    class Cumulative extends tf.layers.Layer {
      static className = 'Cumulative';
      override computeOutputShape(shape: number[]) {
        return shape;
      }
      override call(inputs: tf.Tensor | tf.Tensor[]) {
        return tf.topk([inputs].flat()[0]!, 3).values;
      }
    }
    const notices: string[] = [];
    const live = tf.sequential({
      layers: [tf.layers.dense({ units: 3, inputShape: [4] }), new Cumulative({ name: 'sorted' })],
    });
    const model = await open(live, { onNotice: (notice) => notices.push(notice) });
    expect(model.access).toBe('scores');
    expect(notices[0]).toMatch(
      /is missing \(Cannot compute gradient: gradient function not found for TopK\) at layer "sorted" \(Cumulative\)/,
    );
  });

  it('are refused on wasm with the reason', async () => {
    const notices: string[] = [];
    const wasm = { ...tf, getBackend: () => 'wasm' };
    const model = await open(`${FIXTURES}digits`, { tf: wasm, onNotice: (notice) => notices.push(notice) });
    expect(model.access).toBe('scores');
    expect(notices[0]).toMatch(
      /On the backend wasm, the gradient of max pooling is lost in windows .* Run on @tensorflow\/tfjs-node/,
    );
    await model.close();
  });

  it('are right for a deep network of many kinks', async () => {
    const layers = Array.from({ length: 4 }, (_, i) => [
      tf.layers.conv2d({
        ...(i === 0 && { inputShape: [12, 12, 3] }),
        filters: 8,
        kernelSize: 3,
        padding: 'same',
      }),
      tf.layers.batchNormalization(),
      tf.layers.reLU(),
    ]).flat();
    const live = tf.sequential({
      layers: [
        ...layers,
        tf.layers.maxPooling2d({ poolSize: 2 }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 10 }),
      ],
    });
    expect(await open(live)).toMatchObject({ access: 'gradients' });
  });
});

describe('what cannot be opened is refused in one sentence', () => {
  const place = (name: string, edit: (json: string) => string) => {
    mkdirSync(join(user, name));
    copyFileSync(`${FIXTURES}digits/weights.bin`, join(user, name, 'weights.bin'));
    writeFileSync(join(user, name, 'model.json'), edit(readFileSync(`${FIXTURES}digits/model.json`, 'utf8')));
    return join(user, name);
  };

  it('a path where nothing is', async () => {
    await expect(open(join(user, 'nothing.json'))).rejects.toThrow(
      /^Unexpected missing file at .*nothing\.json, expected a model\.json\. Check the path\.$/,
    );
  });

  it('a layer that tfjs does not know', async () => {
    const path = place('layer', (json) => json.replace('"class_name":"ReLU"', '"class_name":"Mine"'));
    await expect(open(path)).rejects.toThrow(
      /^Unexpected model that tfjs refuses to load \(Unknown layer: Mine.*\) at .*model\.json, expected a LayersModel or a GraphModel\. Save or convert it again\.$/,
    );
  });

  it('weights outside of the folder', async () => {
    const path = place('outside', (json) => json.replace('weights.bin', '../layer/weights.bin'));
    await expect(open(path)).rejects.toThrow(
      /^Unexpected weights in "\.\.\/layer\/weights\.bin" at .*model\.json/,
    );
    const link = place('link', (json) => json.replace('weights.bin', 'link.bin'));
    symlinkSync(`${FIXTURES}digits/weights.bin`, join(link, 'link.bin'));
    await expect(open(link)).rejects.toThrow(/^Unexpected weights in "link\.bin"/);
  });

  it('a live model without its tf', async () => {
    const live = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [4] })] });
    await expect(openTfjs(live, { bounds: [0, 1] })).rejects.toThrow(/^Unexpected live model without its tf/);
  });

  it('a model without classes', async () => {
    const live = tf.sequential({
      layers: [tf.layers.inputLayer({ inputShape: [4] }), tf.layers.repeatVector({ n: 2 })],
    });
    expect(await open(live)).toMatchObject({ classes: 8 });
    const open2 = tf.sequential({
      layers: [tf.layers.conv2d({ inputShape: [null, null, 1], filters: 2, kernelSize: 3 })],
    });
    await expect(open(open2)).rejects.toThrow(
      /^Unexpected input of shape \[\?,\?,\?,1\] at .*, expected sizes that are known/,
    );
    expect(await open(open2, { shape: [4, 4, 1] })).toMatchObject({ input: { shape: [4, 4, 1] } });
  });
});
