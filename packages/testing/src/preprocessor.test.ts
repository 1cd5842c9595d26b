import { definePreprocessor, type Preprocessor, type Schema } from '@gauntlet/core';
import { like, rowSize, type Tensor } from '@gauntlet/tensor';
import { preprocessorChecks } from './preprocessor.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const map = (x: Tensor, f: (value: number, i: number) => number) => like(x, x.data.map(f));

/** A random mixture of each value with the middle of the box, by its exact derivative: nothing is wrong with it. */
const sound = definePreprocessor({
  id: 'defence/test',
  summary: 'For tests.',
  cites: ['here'],
  backward: 'exact',
  random: true,
  options: anything,
  async run({ x, input: { bounds }, random }) {
    const shares = random.map((own) => own.uniform());
    const share = (i: number) => shares[Math.floor(i / rowSize(x))]!;
    const middle = (bounds[0] + bounds[1]) / 2;
    return map(x, (value, i) => middle + share(i) * (value - middle));
  },
  async pullback({ x, gradient, random }) {
    const shares = random.map((own) => own.uniform());
    return map(gradient, (value, i) => shares[Math.floor(i / rowSize(x))]! * value);
  },
});

/** One option that nobody explains. */
const unexplained: Schema = {
  '~standard': {
    ...anything['~standard'],
    jsonSchema: { input: () => ({ properties: { rate: { type: 'number', default: 1 } } }) },
  },
};

const after = (change: (seen: Tensor, x: Tensor) => Tensor): Preprocessor => ({
  ...sound,
  run: async (job) => change(await sound.run(job), job.x),
});

const BROKEN: Record<keyof typeof preprocessorChecks, Preprocessor> = {
  'says who it is': { ...sound, cites: [] },
  'describes its options and has a default for each': { ...sound, options: unexplained },
  'gives points of the box, in the same shape': after((seen) => map(seen, (value) => 1.5 * value)),
  'works in the units of the box': after((seen) => map(seen, (value) => Math.min(value, 0.5))),
  'leaves its input alone': after((seen, x) => (x.data.fill(0.5), seen)),
  'treats each point by itself, whatever the batch': after((seen) =>
    map(seen, (value) => value * (1 - 0.01 * seen.shape[0]!)),
  ),
  'is random where it says so, and nowhere else': { ...sound, random: false },
  'has a pullback where its backward needs one': { ...sound, backward: 'identity' },
  'pulls gradients back as differences do, where it is exact': {
    ...sound,
    pullback: async ({ gradient }) => gradient,
  },
  'refuses what it cannot work on in a sentence': {
    ...sound,
    run: async (job) => {
      if (job.input.shape.length > 3) throw new TypeError('undefined is not a function');
      return sound.run(job);
    },
  },
};

describe.each(Object.entries(preprocessorChecks))('the check "%s"', (name, check) => {
  const subject = { defence: sound, options: {}, shape: [1, 8, 8] };

  it('lets a sound defence pass', async () => {
    await check(subject);
  });

  it('catches a broken one', async () => {
    await expect(check({ ...subject, defence: BROKEN[name]! })).rejects.toThrow(/^Unexpected /);
  });
});
