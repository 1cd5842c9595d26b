import { readFileSync } from 'node:fs';
import { rows } from '@gauntlet/tensor';
import { openOnnx } from './open.js';
import { temporary } from './testing/files.js';
import { openTexts } from './text.js';

const MODEL = 'fixtures/text/movie-reviews.onnx';
const { sentences, probabilities } = JSON.parse(readFileSync('fixtures/text/movie-reviews.json', 'utf8')) as {
  sentences: string[];
  probabilities: number[];
};

const folder = temporary();
afterAll(() => folder.remove());

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

it.each([true, false])(
  'gives the logits of scikit-learn, tried in a process of its own: %s',
  async (trial) => {
    const model = await openTexts(MODEL, { trial });
    const { data } = await model.scores(sentences);
    probabilities.forEach((p, i) => expect(sigmoid(data[2 * i + 1]! - data[2 * i]!)).toBeCloseTo(p, 5));
    expect(await model.labels(sentences)).toEqual(Int32Array.from(probabilities, (p) => Number(p > 0.5)));
    await model.close();
  },
);

it('answers any number of texts, of whatever they consist', async () => {
  const model = await openTexts(MODEL, { trial: false });
  const many = Array.from({ length: 2500 }, (_, i) => sentences[i % sentences.length]!);
  const { data } = await model.scores(many);
  expect(data.slice(-2)).toEqual((await model.scores(many.slice(-1))).data);
  expect(rows(await model.scores(['', '!?', 'ünknown \\u0000 wörds', 'good '.repeat(10_000)]))).toBe(4);
  expect(rows(await model.scores([]))).toBe(0);
  await model.close();
});

const texts = (dims: readonly (number | string)[]) =>
  folder.model((graph) => {
    const input = graph.input('text', 'string', dims);
    const numbers = graph.node('Cast', [input], { to: 1 });
    const shape = graph.ints([-1, 1]);
    const one = graph.node('Reshape', [numbers, shape]);
    graph.nodes('Concat', [one, one], 1, { axis: 1 }, { outputs: ['scores'] });
    graph.output('scores', 'float32');
  });

it.each([
  ['numbers', 'fixtures/models/mlp.onnx', 'Unexpected input of type float32 and shape'],
  ['several texts for each sample', texts(['N', 3]), 'expected a batch of texts, one for each sample'],
  ['a fixed number of texts', texts([2, 1]), 'Unexpected batches of 2'],
])('refuses a model of %s', async (_, path, message) => {
  await expect(openTexts(path, { trial: false })).rejects.toThrow(message);
});

it('is not what a model of numbers is opened by', async () => {
  await expect(openOnnx(MODEL, { bounds: [0, 1], trial: false })).rejects.toThrow('input of type string');
});
