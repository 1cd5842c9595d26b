import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { OpenModel } from '@gauntlet/core';
import { LOSSES } from '@gauntlet/kit';
import { type Graph, placeAt, readModel } from '@gauntlet/onnx';
import { tensor } from '@gauntlet/tensor';
import { InferenceSession, Tensor as Native } from 'onnxruntime-node';
import { outsideReader } from './external.js';
import { buildGradient, gradientFile, openOnnx, prepare, trainOnnx } from './index.js';
import { floats, temporary } from './testing/files.js';
import { openTrial } from './trial.js';

const folder = temporary();
mkdirSync(join(folder.path, 'data'));
afterAll(() => folder.remove());

/** Puts every initialiser into data/weights.bin, each at an odd place. */
function putOutside({ proto }: Graph): void {
  const bytes: number[] = [];
  for (const each of proto.initializer) {
    bytes.push(0);
    placeAt(each, { location: 'data/weights.bin', offset: bytes.length, length: each.rawData.length });
    bytes.push(...each.rawData);
    each.rawData = new Uint8Array();
  }
  writeFileSync(join(folder.path, 'data', 'weights.bin'), Uint8Array.from(bytes));
}

/** One more initialiser, all zeros, that takes no room on the disk. */
function addZeros({ proto, model }: Graph, gigabytes: number): void {
  const size = gigabytes * 1e9;
  const [first] = proto.initializer;
  const zeros = { ...first!, name: 'zeros', dims: [BigInt(size / 4)], rawData: new Uint8Array() };
  placeAt(zeros, { location: `zeros-${gigabytes}.bin`, offset: 0 });
  folder.file(`zeros-${gigabytes}.bin`, '');
  truncateSync(join(folder.path, `zeros-${gigabytes}.bin`), size);
  model.graph!.initializer.push(zeros);
}

const sines = (length: number) => Array.from({ length }, (_, i) => Math.sin(i));
const MATRIX = Array.from({ length: 48 * 3 }, (_, i) => Math.cos(i));

/** A convolution and a product: linear in `x` [N, channels, 4, 4]. */
const linear = (finish: (graph: Graph) => void, channels = 2) =>
  folder.model((graph) => {
    const x = graph.input('x', 'float32', ['N', channels, 4, 4]);
    const kernel = floats(graph, [3, channels, 3, 3], sines(3 * channels * 9));
    const images = graph.node('Conv', [x, kernel], { pads: [1, 1, 1, 1] });
    const flat = graph.node('Flatten', [images]);
    graph.nodes('MatMul', [flat, floats(graph, [48, 3], MATRIX)], 1, {}, { outputs: ['y'] });
    graph.output('y', 'float32', ['N', 3]);
    finish(graph);
  });

const SETTINGS = { bounds: [0, 1], inMemory: 0 } as const;
const x = tensor(
  Float32Array.from({ length: 64 }, (_, i) => Math.sin(3 * i)),
  [2, 2, 4, 4],
);
const goal = { kind: 'untargeted', classes: Int32Array.of(0, 2), confidence: 0 } as const;

describe.each([
  ['here', false],
  ['apart', true],
] as const)('a model whose weights stay in their files, tried %s', (_, trial) => {
  let model: OpenModel<'gradients'>;
  let path = '';
  beforeAll(async () => {
    path = linear(putOutside);
    model = (await openOnnx(path, { ...SETTINGS, trial })) as OpenModel<'gradients'>;
  });
  afterAll(() => model.close());

  it("has the scores that ONNX Runtime's own session has", async () => {
    const own = await InferenceSession.create(path);
    const { y } = await own.run({ x: new Native('float32', x.data, x.shape) });
    expect([...(await model.scores(x)).data]).toEqual([...(y!.data as Float32Array)]);
    expect(model.files).toEqual(['data/weights.bin']);
    await own.release();
  });

  it('has the gradient of a linear model: what each input adds to the loss', async () => {
    const { gradient } = await model.gradient(x, LOSSES['cross-entropy'](goal));
    // d crossEntropy = sum over k of (p_k - [k is the label]) d score_k
    const zero = (await model.scores(tensor(new Float32Array(64), [2, 2, 4, 4]))).data;
    const scores = (await model.scores(x)).data;
    const units = tensor(
      Float32Array.from({ length: 32 * 32 }, (_, i) => Number(i % 33 === 0)),
      [32, 2, 4, 4],
    );
    const slopes = (await model.scores(units)).data.map((value, i) => value - zero[i % 3]!);
    for (const row of [0, 1]) {
      const powers = [0, 1, 2].map((k) => Math.exp(scores[3 * row + k]!));
      const total = powers.reduce((sum, power) => sum + power);
      for (let at = 0; at < 32; at++) {
        const expected = powers.reduce(
          (sum, power, k) => sum + (power / total - Number(k === goal.classes[row])) * slopes[3 * at + k]!,
          0,
        );
        expect(gradient.data[32 * row + at]).toBeCloseTo(expected, 4);
      }
    }
  });
});

describe('weights that stay in their files', () => {
  it('are neither in the prepared model nor in the gradient graph, which turns those of convolutions', async () => {
    // Of fewer channels a gradient is a ConvTranspose, which takes the weights as they are.
    const prepared = await prepare(linear(putOutside, 16), SETTINGS);
    expect(prepared.outside).toMatch(folder.path);
    const { model } = buildGradient(prepared, { op: 'pick', class: 'own' }, 'blocked');
    for (const { graph } of [readModel(prepared.model), model]) {
      const outside = graph!.initializer.filter(({ externalData }) => externalData.length > 0);
      expect(outside.map(({ dims, rawData }) => [String(dims), rawData.length])).toEqual([
        ['3,16,3,3', 0],
        ['48,3', 0],
      ]);
    }
    expect(model.graph!.node.map(({ opType }) => opType)).not.toContain('ConvTranspose');
  });

  it('are read for gradients up to a gigabyte', () => {
    folder.file('part.bin', Uint8Array.of(1, 2, 3, 4));
    const read = outsideReader(folder.path);
    const place = { location: 'part.bin', offset: 1 };
    expect(read({ ...place, length: 2 ** 30 + 1 })).toBeUndefined();
    expect(read({ ...place, length: 2 })).toEqual(Uint8Array.of(2, 3));
    expect(read({ ...place, length: 2 ** 30 - 1 })).toBeUndefined();
    expect(outsideReader(null)({ ...place, length: 2 })).toBeUndefined();
  });

  it('are put into the model where they are few', async () => {
    expect((await prepare(linear(putOutside), { bounds: [0, 1] })).outside).toBeNull();
  });
});

describe('a model with more data than one file may hold', () => {
  const large = () => linear((graph) => addZeros(graph, 2.4));

  it('is prepared, in a process with limits to match', async () => {
    const path = large();
    const trial = await openTrial();
    const { outside, files } = await trial.prepare(path, { bounds: [0, 1] });
    expect([files, trial.started]).toEqual([['zeros-2.4.bin'], 2]);
    expect(outside).toMatch(dirname(path));
    await trial.close();
  }, 30_000);

  const refusal =
    /^Unexpected more than 2 GB of external data that one file has to hold at .*, expected at most 2 GB, which is the limit of one ONNX file\. Use a smaller model\.$/;
  it.each(['gradient file', 'training'] as const)(
    'is refused where it is written again: %s',
    async (what) => {
      const settings = { bounds: [0, 1], trial: false } as const;
      const made =
        what === 'gradient file'
          ? gradientFile(large(), { ...settings, wrt: 'input', loss: LOSSES.margin(goal).term })
          : trainOnnx(large(), { ...settings, optimiser: { kind: 'adam', rate: 0.1 } });
      await expect(made).rejects.toThrow(refusal);
    },
  );

  it('is refused where it is one file already', async () => {
    const path = folder.file('whole.onnx', '');
    truncateSync(path, 2.4e9);
    await expect(prepare(path, { bounds: [0, 1] })).rejects.toThrow(
      /^Unexpected more than 2 GB of model at .* Export it with external data\.$/,
    );
  });
});
