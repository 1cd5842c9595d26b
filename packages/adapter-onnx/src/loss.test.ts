import type { Loss, OpenModel, Term } from '@gauntlet/core';
import { crossEntropy, evaluateLoss } from '@gauntlet/kit';
import { stream, type Tensor, tensor } from '@gauntlet/tensor';
import { openOnnx } from './open.js';
import { chain, floats, temporary } from './testing/files.js';

const folder = temporary();
afterAll(() => folder.remove());

/** Scores are the samples themselves, so that the gradient is the loss's derivative by the scores. */
const identity = (classes: number, shift = 0) => {
  const eye = Array.from({ length: classes ** 2 }, (_, i) => (i % (classes + 1) === 0 ? 1 : 0));
  return openOnnx(
    folder.model(
      chain(['N', classes], (graph, x) =>
        graph.node('Gemm', [x, floats(graph, [classes, classes], eye), floats(graph, [1], [shift])]),
      ),
    ),
    { bounds: [-1000, 1000], trial: false },
  ) as Promise<OpenModel<'gradients'>>;
};

const pick: Term = { op: 'pick', class: 'own' };
const other: Term = { op: 'maxOther', class: 'own' };
const rest: Term = { op: 'logSumExpOther', class: 'own' };
const gap: Term = { op: 'sub', of: [rest, pick] };
const place = (n: number): Term => ({ op: 'ranked', place: n });
const dlr: Term = {
  op: 'div',
  of: [
    { op: 'sub', of: [other, pick] },
    {
      op: 'add',
      of: [
        { op: 'sub', of: [place(0), place(2)] },
        { op: 'constant', value: 1e-12 },
      ],
    },
  ],
};

const TERMS: Record<string, Term> = {
  pick,
  'pick of another class': { op: 'add', of: [pick, { op: 'pick', class: 'target' }] },
  'largest other': other,
  'logSumExp of others': rest,
  'first place': place(0),
  'third place': place(2),
  'last place': place(4),
  softplus: { op: 'softplus', of: gap },
  relu: { op: 'relu', of: { op: 'sub', of: [other, pick] } },
  negative: { op: 'neg', of: rest },
  product: { op: 'mul', of: [other, pick] },
  'weighted by a given number': { op: 'mul', of: [{ op: 'given', name: 'weight' }, gap] },
  'constant beside': { op: 'add', of: [{ op: 'constant', value: 3 }, pick] },
  'difference of logits ratio': dlr,
};

const samples = (count: number, classes: number, scale = 1): Tensor => {
  const random = stream('loss terms', classes, scale);
  return tensor(
    Float32Array.from({ length: count * classes }, () => scale * random.normal()),
    [count, classes],
  );
};

const lossOf = (term: Term, count: number, classes: number): Loss => ({
  term,
  classes: {
    own: Int32Array.from({ length: count }, (_, i) => i % classes),
    target: Int32Array.from({ length: count }, (_, i) => (i + 2) % classes),
  },
  given: { weight: Float32Array.from({ length: count }, (_, i) => i - 1.5) },
});

const expectClose = (found: Float32Array, wanted: ArrayLike<number>, relative = 1e-5, absolute = 1e-6) =>
  found.forEach((value, i) =>
    expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(relative * Math.abs(wanted[i]!) + absolute),
  );

describe('loss terms', () => {
  let model: OpenModel<'gradients'>;
  beforeAll(async () => (model = await identity(5)));
  afterAll(() => model.close());

  it.each(Object.entries(TERMS))('%s equals the evaluation on the host', async (_, term) => {
    const x = samples(7, 5);
    const loss = lossOf(term, 7, 5);
    const expected = evaluateLoss(loss, x);
    const found = await model.gradient(x, loss);
    expectClose(found.loss, expected.loss);
    expectClose(found.gradient.data, expected.scoresGradient.data);
    expect(found.scores.data).toEqual(x.data);
  });

  it('takes classes and numbers of the samples that the points belong to', async () => {
    const x = samples(3, 5);
    const loss = lossOf(TERMS['weighted by a given number']!, 9, 5);
    const of = [8, 0, 4];
    const expected = evaluateLoss(loss, x, of);
    const found = await model.gradient(x, loss, { of });
    expectClose(found.loss, expected.loss);
    expectClose(found.gradient.data, expected.scoresGradient.data);
  });
});

describe('losses that cannot be', () => {
  it.each([
    [
      'places that the model has not',
      place(5),
      /^Unexpected loss of the score in place 6 at a model of 5 classes/,
    ],
    [
      'values that are not given',
      { op: 'given', name: 'nothing' } as Term,
      /^Unexpected loss without values for "nothing"/,
    ],
  ])('%s', async (_, term, sentence) => {
    const model = await identity(5);
    const loss = lossOf({ op: 'add', of: [term, pick] }, 3, 5);
    await expect(model.gradient(samples(3, 5), loss)).rejects.toThrow(sentence);
    await model.close();
  });
});

describe('cross-entropy where the softmax saturates', () => {
  it.each([
    ['two classes', 2, 0],
    ['ten classes', 10, 0],
    ['logits shifted by -100', 10, -100],
    ['logits shifted by 100', 10, 100],
  ])('%s', async (_, classes, shift) => {
    const model = await identity(classes, shift);
    const leads = [-80, -60, -30, -17, -5, -1, 0, 1, 20, 90];
    const data = leads.flatMap((lead) => Array.from({ length: classes }, (_, k) => (k === 1 ? 0 : lead)));
    const x = tensor(Float32Array.from(data), [leads.length, classes]);
    const own = new Int32Array(leads.length).fill(1);
    const loss = crossEntropy({ kind: 'untargeted', classes: own, confidence: 0 });
    const found = await model.gradient(x, loss);
    leads.forEach((lead, i) => {
      // Others are `lead` each: d = lead + log(classes - 1), loss = softplus(d), d loss / d own = -sigmoid(d).
      const d = lead + Math.log(classes - 1);
      const share = 1 / (1 + Math.exp(-d));
      const gradient = found.gradient.data.subarray(i * classes, (i + 1) * classes);
      expectClose(found.loss.subarray(i, i + 1), [d > 30 ? d : Math.log1p(Math.exp(d))], 1e-4, 0);
      expectClose(gradient.slice(1, 2), [-share], 1e-4, 0);
      expectClose(gradient.slice(0, 1), [share / (classes - 1)], 1e-4, 0);
    });
    await model.close();
  });
});
