import { fileURLToPath } from 'node:url';
import type { OpenModel } from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import { fromNumbers } from '@gauntlet/onnx';
import { rows, stream, take, type Tensor, tensor } from '@gauntlet/tensor';
import { InferenceSession, Tensor as Native } from 'onnxruntime-node';
import { openOnnx } from './open.js';
import { prepare } from './prepare.js';
import { floats, temporary } from './testing/files.js';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/', import.meta.url));
const SHAPES = { residual: [3, 32, 32], lstm: [7, 6] };
const COUNT = 6;

const folder = temporary();
afterAll(folder.remove);

const random = (name: string, shape: readonly number[]): Tensor => {
  const { uniform } = stream('quantised', name);
  return tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, uniform), shape);
};

const samples = (name: keyof typeof SHAPES): Tensor => random(name, [COUNT, ...SHAPES[name]]);

const fixture = (file: string) => `${FIXTURES}${file}.onnx`;

const open = async (path: string) => {
  const notices: string[] = [];
  const settings = {
    bounds: [0, 1],
    trial: false,
    onNotice: (notice: string) => notices.push(notice),
  } as const;
  const model = (await openOnnx(path, settings)) as OpenModel<'gradients'>;
  return { model, notices };
};

/** Scores, and the gradient of the cross-entropy of arbitrary classes. */
const answers = async (path: string, x: Tensor) => {
  const { model } = await open(path);
  const classes = Int32Array.from({ length: rows(x) }, (_, i) => i % model.classes);
  const loss = crossEntropy({ kind: 'untargeted', classes, confidence: 0 });
  const { data: asked } = await model.scores(x);
  const found = await model.gradient(x, loss);
  await model.close();
  return { ...found, asked };
};

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const cosine = (a: Float32Array, b: Float32Array) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** What ONNX Runtime answers for the file, sample by sample. */
async function asShipped(path: string, x: Tensor): Promise<number[]> {
  const session = await InferenceSession.create(path, { logSeverityLevel: 4 });
  const rows: number[] = [];
  for (let i = 0; i < COUNT; i++) {
    const { data, shape } = take(x, [i]);
    const { logits } = await session.run({ input: new Native('float32', data, shape) });
    rows.push(...(logits!.data as Float32Array));
  }
  await session.release();
  return rows;
}

it.each([
  ['residual-qdq', 'residual'],
  ['residual-qoperator', 'residual'],
  ['residual-dynamic', 'residual'],
  ['lstm-dynamic', 'lstm'],
] as const)('%s answers as the file does, and so where gradients are asked for', async (form, name) => {
  const x = samples(name);
  const { asked, scores } = await answers(fixture(`quantised/${form}`), x);
  expect([...asked]).toEqual(await asShipped(fixture(`quantised/${form}`), x));
  expect([...scores.data]).toEqual([...asked]);
});

/** Samples times weights of 8 bits, whose scales lie in blocks of 32: ONNX Runtime makes one op of both nodes. */
const inBlocks = (): string =>
  folder.model((graph) => {
    const x = graph.input('x', 'float32', ['N', 64]);
    const levels = Array.from(random('levels', [64, 10]).data, (value) => Math.round(200 * value - 100));
    const scales = random('scales', [2, 10]);
    const weights = graph.node(
      'DequantizeLinear',
      [graph.constant(fromNumbers('int8', levels, [64, 10])), floats(graph, [2, 10], [...scales.data])],
      { axis: 0, block_size: 32 },
    );
    graph.output(graph.node('MatMul', [x, weights]), 'float32', ['N', 10]);
  }, 21);

it.each([
  ['pairs', () => fixture('quantised/residual-qdq'), SHAPES.residual],
  ['weights in blocks', inBlocks, [64]],
])('%s: scores that come with a gradient are those that are asked for alone', async (_form, path, shape) => {
  const { asked, scores } = await answers(path(), random('many', [200, ...shape]));
  expect([...scores.data]).toEqual([...asked]);
});

it.each([
  ['models/mlp', false],
  ['quantised/residual-qoperator', false],
  ['quantised/residual-dynamic', false],
  ['quantised/residual-qdq', true],
])('%s: scores are asked for apart from gradients: %s', async (file, scoresApart) => {
  const prepared = await prepare(fixture(file), { bounds: [0, 1] });
  expect(prepared.scoresApart).toBe(scoresApart);
});

it('ops on integers have the gradient of the pairs that they stand for', async () => {
  const x = samples('residual');
  const [pairs, integers] = await Promise.all(
    ['qdq', 'qoperator'].map((form) => answers(fixture(`quantised/residual-${form}`), x)),
  );
  const distances = Array.from({ length: COUNT }, (_, i) => {
    const [own, other] = [take(integers!.gradient, [i]).data, take(pairs!.gradient, [i]).data];
    return Math.hypot(...own.map((value, at) => value - other[at]!)) / Math.hypot(...other);
  });
  // One number may lie at an end of its range, where rounding decides whether it is cut off.
  expect(distances.filter((distance) => distance < 1e-5).length).toBeGreaterThanOrEqual(COUNT - 1);
});

it.each([
  ['residual-qoperator', 'residual', 0.8],
  ['residual-dynamic', 'residual', 0.8],
  ['lstm-dynamic', 'lstm', 0.99],
] as const)('%s has nearly the gradient of the model that was quantised', async (form, name, least) => {
  const x = samples(name);
  const [own, original] = await Promise.all(
    [`quantised/${form}`, `models/${name}-torchscript`].map((file) => answers(fixture(file), x)),
  );
  expect(cosine(own!.gradient.data, original!.gradient.data)).toBeGreaterThan(least);
});

it('no sample changes the scores of another where levels are set by the largest of a batch', async () => {
  const { model, notices } = await open(fixture('quantised/residual-dynamic'));
  expect(notices).toEqual([
    'residual-dynamic.onnx rounds to levels that the largest number of a batch sets: it runs one sample at a time, which is slow. Quantise it statically.',
  ]);
  const x = samples('residual');
  const [whole, one] = [await model.scores(x), await model.scores(take(x, [3]))];
  expect([...one.data]).toEqual([...take(whole, [3]).data]);
  await model.close();
});
