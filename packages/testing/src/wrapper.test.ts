import {
  defineWrapper,
  type GradientModel,
  type Schema,
  type Wrapper,
  type WrapperJob,
} from '@gauntlet/core';
import { meanModel } from '@gauntlet/kit';
import { like, row, rows, type Stream, type Tensor } from '@gauntlet/tensor';
import { wrapperChecks } from './wrapper.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const map = (x: Tensor, f: (value: number) => number) => like(x, x.data.map(f));

/** Every point with a little noise of its own. */
function blurred(x: Tensor, random: readonly Stream[]): Tensor {
  const seen = like(x, x.data.slice());
  random.forEach((own, i) => row(seen, i).forEach((value, j, all) => (all[j] = value + 0.01 * own.normal())));
  return seen;
}

/** The mean over the models and two draws of noise, by its exact derivative: nothing is wrong with it. */
const sound = defineWrapper({
  id: 'defence/test',
  summary: 'For tests.',
  cites: ['here'],
  backward: 'exact',
  models: 'several',
  random: true,
  options: anything,
  wrap: ({ models, noise }: WrapperJob) =>
    meanModel({ ...models[0] }, 'logits', (points, of) => {
      const random = noise(of);
      return models.flatMap((model) => [0, 1].map(() => ({ model, points: blurred(points, random) })));
    }),
});

/** One option that nobody explains. */
const unexplained: Schema = {
  '~standard': {
    ...anything['~standard'],
    jsonSchema: { input: () => ({ properties: { rate: { type: 'number', default: 1 } } }) },
  },
};

const after = (change: (model: GradientModel) => Partial<GradientModel>): Wrapper => ({
  ...sound,
  wrap: (job) => {
    const model = sound.wrap(job) as GradientModel;
    return { ...model, ...change(model) };
  },
});

const BROKEN: Record<keyof typeof wrapperChecks, Wrapper> = {
  'says who it is': { ...sound, id: 'wrapper/test' },
  'describes its options and has a default for each': { ...sound, options: unexplained },
  'takes and gives what its models do, and offers no more access': after(() => ({ access: 'gradients' })),
  'offers gradients, where they pass it': after(() => ({ access: 'scores' })),
  'leaves its input alone': after(({ scores }) => ({
    scores: async (x, of) => (x.data.fill(0.5), scores(x, of)),
  })),
  'treats each point by itself, whatever the batch': after(({ scores }) => ({
    scores: async (x, of) => map(await scores(x, of), (value) => value * (1 - 0.01 * rows(x))),
  })),
  'is random where it says so, and nowhere else': { ...sound, random: false },
  'answers with the class of its largest score, or abstains': after(({ labels }) => ({
    labels: async (x, of) => (await labels(x, of)).map((label, i) => (i % 5 === 0 ? 3 - label : label)),
  })),
  'still classifies': after(({ scores }) => ({
    scores: async (x, of) => map(await scores(x, of), () => 0),
    labels: async (x) => new Int32Array(rows(x)),
  })),
  'asks every model that it is given': {
    ...sound,
    wrap: (job) => sound.wrap({ ...job, models: [(job as WrapperJob).models[0]] } as WrapperJob<never>),
  },
  'gives the loss of the scores that it gives': after(({ gradient }) => ({
    gradient: async (x, loss, of) => ({ ...(await gradient(x, loss, of)), loss: new Float32Array(rows(x)) }),
  })),
  'has the gradient of its loss, as differences say, where it is exact': after(({ gradient }) => ({
    gradient: async (x, loss, of) => {
      const found = await gradient(x, loss, of);
      return { ...found, gradient: map(found.gradient, (value) => 0.5 * value) };
    },
  })),
};

describe.each(Object.entries(wrapperChecks))('the check "%s"', (name, check) => {
  it('lets a sound defence pass', async () => {
    await check({ defence: sound, options: {} });
  });

  it('catches a broken one', async () => {
    await expect(check({ defence: BROKEN[name]!, options: {} })).rejects.toThrow(/^Unexpected /);
  });
});
