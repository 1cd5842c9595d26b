import type { GradientModel, WrapperJob } from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { row, rows } from '@gauntlet/tensor';
import { curvedToy, linearToy, testWrapper } from '@gauntlet/testing';
import ensemble from './index.js';

for (const mean of ['probabilities', 'logits']) testWrapper(ensemble, { options: { mean } });

const toy = curvedToy();
const unused: WrapperJob['noise'] = () => [];
const of = (mean: 'probabilities' | 'logits', ...models: [GradientModel, ...GradientModel[]]) =>
  ensemble.wrap({ models, options: { mean }, noise: unused }) as GradientModel;

describe('the ensemble', () => {
  it('of linear models, by logits, is the linear model of the mean weights', async () => {
    const [one, other] = [linearToy(), linearToy({ scale: -0.5 })];
    const model = of('logits', one.model, other.model);
    const loss = logOdds({ kind: 'untargeted', classes: one.y, confidence: 0 });
    const found = await model.gradient(one.x, loss);
    // (1 - 0.5) / 2 of each weight.
    const quarter = linearToy({ scale: 0.25 });
    const wanted = await quarter.model.gradient(one.x, loss);
    found.gradient.data.forEach((value, i) => expect(value).toBeCloseTo(wanted.gradient.data[i]!, 5));
    found.scores.data.forEach((value, i) => expect(value).toBeCloseTo(wanted.scores.data[i]!, 5));
  });

  it('by probabilities, has them after a softmax', async () => {
    const sure: GradientModel = { ...toy.model, scores: async (x) => times(await toy.model.scores(x), 3) };
    const scores = await of('probabilities', toy.model, sure).scores(toy.x);
    const [a, b] = [await toy.model.scores(toy.x), await sure.scores(toy.x)];
    for (let i = 0; i < rows(toy.x); i++) {
      const [p, q] = [softmax(row(a, i)), softmax(row(b, i))];
      row(scores, i).forEach((value, k) => expect(Math.exp(value)).toBeCloseTo((p[k]! + q[k]!) / 2, 6));
    }
  });

  it('keeps the gradient where every member saturates', async () => {
    const { model, x, y } = linearToy({ scale: 1e4 });
    const { gradient } = await of('probabilities', model, model).gradient(
      x,
      logOdds({ kind: 'untargeted', classes: y, confidence: 0 }),
    );
    for (let i = 0; i < rows(x); i++)
      expect(Math.max(...row(gradient, i).map(Math.abs))).toBeGreaterThan(1e3);
  });

  it('says which member it cannot use', () => {
    expect(() => of('logits', toy.model, { ...toy.model, name: 'labels.onnx', access: 'labels' })).toThrow(
      'Unexpected member labels.onnx that offers labels at defence/ensemble, expected members that offer scores. Use other models.',
    );
  });
});

const times = <T extends { readonly data: Float32Array }>(t: T, by: number): T => ({
  ...t,
  data: t.data.map((value) => by * value),
});
const softmax = (scores: Float32Array) => {
  const parts = Array.from(scores, Math.exp);
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / sum);
};
