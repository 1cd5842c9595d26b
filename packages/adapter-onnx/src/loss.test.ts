import type { OpenModel, Term } from '@gauntlet/core';
import { testAdapter } from '@gauntlet/testing';
import { tensor } from '@gauntlet/tensor';
import adapter, { openOnnx } from './index.js';
import { chain, floats, temporary } from './testing/files.js';

const folder = temporary();
afterAll(() => folder.remove());

/** Scores are the samples themselves, so that the gradient is the loss's derivative by the scores. */
const identity = (classes: number, shift: number) => {
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

testAdapter({ adapter, identity });

describe('losses that cannot be', () => {
  it.each<[string, Term, RegExp]>([
    [
      'places that the model has not',
      { op: 'ranked', place: 5 },
      /^Unexpected loss of the score in place 6 at a model of 5 classes/,
    ],
    [
      'values that are not given',
      { op: 'given', name: 'nothing' },
      /^Unexpected lack of values of "nothing" in a loss/,
    ],
  ])('%s', async (_, term, sentence) => {
    const model = await identity(5, 0);
    const loss = {
      term: { op: 'add', of: [term, { op: 'pick', class: 'own' }] },
      classes: { own: Int32Array.of(0) },
      given: {},
    } as const;
    await expect(model.gradient(tensor(new Float32Array(5), [1, 5]), loss)).rejects.toThrow(sentence);
    await model.close();
  });
});
