import { definePoisoning, type Poisoning, type PoisoningJob, type Schema } from '@gauntlet/core';
import { like, row, type Tensor } from '@gauntlet/tensor';
import { poisoningChecks } from './poisoning.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

/** One option that nobody explains. */
const unexplained: Schema = {
  '~standard': {
    ...anything['~standard'],
    jsonSchema: { input: () => ({ properties: { size: { type: 'integer', default: 1 } } }) },
  },
};

const mark = (x: Tensor, value = 1): Tensor => {
  const points = like(x, x.data.slice());
  for (let i = 0; i < x.shape[0]!; i++) row(points, i).fill(value, -4);
  return points;
};

/** A backdoor: nothing is wrong with it. */
const sound = definePoisoning({
  ...{ id: 'attack/test', summary: 'For tests.', cites: ['here'], options: anything },
  poison: async ({ x, y, target }) => ({ x: mark(x), y: y.map(() => target!) }),
  trigger: async ({ x }) => mark(x),
  update: async ({ trained }) => trained,
});

/** Flipped labels: nothing is wrong with them either. */
const flipped = definePoisoning({
  ...{ id: 'attack/test', summary: 'For tests.', cites: ['here'], options: anything },
  poison: async ({ x, y }) => ({ x, y: y.map((label) => 1 - label) }),
});

const BROKEN: Record<string, readonly Poisoning[]> = {
  'says who it is': [{ ...sound, cites: [] }],
  'describes its options and has a default for each': [{ ...sound, options: unexplained }],
  'gives as many samples back, in the box, each with a class': [
    { ...sound, poison: async ({ x, y }: PoisoningJob) => ({ x: mark(x, 2), y }) },
    { ...sound, poison: async ({ x, y }: PoisoningJob) => ({ x, y: y.map(() => 2) }) },
    { ...sound, poison: async ({ x, y }: PoisoningJob) => ({ x, y: y.slice(1) }) },
  ],
  'leaves what it is handed alone': [
    { ...sound, poison: async ({ x, y }: PoisoningJob) => ({ x, y: y.fill(1) }) },
    { ...sound, trigger: async ({ x }) => (x.data.fill(1, 0, 1), x) },
  ],
  'gives the same samples for the same seed': [
    { ...sound, poison: async ({ x, y }: PoisoningJob) => ({ x: mark(x, Math.random()), y }) },
  ],
  'decides what the trained model answers': [
    { ...sound, poison: async ({ x, y }: PoisoningJob) => ({ x, y }) },
    { ...flipped, poison: async ({ x, y }: PoisoningJob) => ({ x: mark(x), y }) },
  ],
  'puts its trigger on inputs in the box, where it has one': [
    { ...sound, trigger: async ({ x }) => mark(x, 2) },
    { ...sound, trigger: async ({ x }) => ({ data: x.data, shape: [x.data.length] }) },
  ],
  'sends weights of the same names and shapes, where it is a client': [
    { ...sound, update: async () => ({}) },
    {
      ...sound,
      update: async ({ trained: { w } }) => ({
        w: like(
          w!,
          w!.data.map(() => NaN),
        ),
      }),
    },
  ],
};

describe.each(Object.entries(poisoningChecks))('the check "%s"', (name, check) => {
  it.each([sound, flipped])('lets a sound attack pass', async (attack) => {
    await check({ attack, options: {} });
  });

  it.each(BROKEN[name]!)('catches a broken one', async (attack) => {
    await expect(check({ attack, options: {} })).rejects.toThrow(/^Unexpected /);
  });
});
