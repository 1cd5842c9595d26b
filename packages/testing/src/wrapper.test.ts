import {
  defineWrapper,
  type GradientModel,
  type Schema,
  type Wrapper,
  type WrapperJob,
} from '@gauntlet/core';
import { meanModel } from '@gauntlet/kit';
import { like, row, rows, type Stream, type Tensor } from '@gauntlet/tensor';
import { certifierChecks } from './certifier.js';
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

/** Claims a certificate for whatever it is asked about. */
const boastful: Wrapper = {
  ...sound,
  certificate: {
    norms: ['l2'],
    finds: 'largest',
    words: () => 'no sentence',
    certify: async ({ x }) => Array.from({ length: rows(x) }, () => ({ outcome: 'robust', radius: 10 })),
  },
};

const BROKEN: Readonly<Record<string, Wrapper>> = {
  'says what its certificates are worth': boastful,
  'certifies no farther than the boundary of a linear model': boastful,
  'certifies no other answer than the model gives': boastful,
  'certifies nothing that an attack breaks': boastful,
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

  const broken = BROKEN[name];
  if (broken === undefined) return;
  it('catches a broken one', async () => {
    await expect(check({ defence: broken, options: {} })).rejects.toThrow(/^Unexpected /);
  });
});

it('has a broken defence for every check but those of proofs, which certifiers fail', () => {
  const missing = Object.keys(wrapperChecks).filter((name) => BROKEN[name] === undefined);
  expect(missing.filter((name) => certifierChecks[name] === undefined)).toEqual([]);
});
