import { tensor } from '@gauntlet/tensor';
import { cleanAnswers } from './clean.js';
import type { Model } from './model.js';

it('refuses a model whose scores are no numbers, by the first such sample', async () => {
  const x = tensor(Float32Array.of(1, 2, 3), [3, 1]);
  // What a model does that divides by its input less two.
  const model: Model<'scores'> = {
    name: 'quotient',
    input: { shape: [1], bounds: [0, 3] },
    classes: 2,
    access: 'scores',
    scores: async ({ data }) =>
      tensor(
        Float32Array.from(
          { length: 2 * data.length },
          (_, i) => ((i % 2) * (data[i >> 1]! - 2)) / (data[i >> 1]! - 2),
        ),
        [data.length, 2],
      ),
    labels: async ({ data }) => new Int32Array(data.length),
  };
  await expect(cleanAnswers(model, { ids: [7, 8, 9], x, y: Int32Array.of(0, 0, 0) }, 0)).rejects.toThrow(
    'Unexpected score NaN at sample 8 by quotient, expected numbers. Check the model, and --mean and --std if it needs them, or leave the sample out.',
  );
});
