import { defineTraining, type Schema, type Training, type TrainingJob } from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import { trainingChecks } from './training.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const learning = (y: Int32Array) => crossEntropy({ kind: 'untargeted', classes: y, confidence: 0 });

const facts = {
  id: 'defence/test',
  summary: 'For tests.',
  cites: ['here'],
  crafts: { use: 'attack/step', options: {} },
  norms: ['linf'],
  options: anything,
} as const;

const fitted = (lesson: Parameters<TrainingJob['fit']>[0]['lesson']): Pick<Training, 'run'> => ({
  run: ({ fit }: TrainingJob) => fit({ name: 'hard', fresh: true, lesson }),
});

/** What adversarial training does: nothing is wrong with it. */
const sound = defineTraining({
  ...facts,
  run: ({ fit, epsilon }) =>
    fit({
      name: 'hard',
      fresh: true,
      lesson: async ({ y, craft }) => ({ x: await craft(epsilon), loss: learning(y) }),
    }),
});

/** One option that nobody explains. */
const unexplained: Schema = {
  '~standard': {
    ...anything['~standard'],
    jsonSchema: { input: () => ({ properties: { rate: { type: 'number', default: 1 } } }) },
  },
};

const BROKEN: Record<keyof typeof trainingChecks, Training> = {
  'says who it is': { ...sound, norms: [] },
  'describes its options and has a default for each': { ...sound, options: unexplained },
  learns: { ...sound, ...fitted(async ({ x, y }) => ({ x, loss: learning(y.map((label) => 1 - label)) })) },
  'hardens, where it crafts': { ...sound, ...fitted(async ({ x, y }) => ({ x, loss: learning(y) })) },
  'learns from points in ball and box, in the units of the samples': {
    ...sound,
    ...fitted(async ({ x, y }) => ({ x: { ...x, data: x.data.map((v) => 255 * v) }, loss: learning(y) })),
  },
  'changes weights in its stages only': {
    ...sound,
    async run(job) {
      await sound.run(job);
      const { x, y } = await (job as TrainingJob).data.at([0, 1]);
      await (job as TrainingJob).model.update(x, learning(y));
    },
  },
  'gives the same model for the same seed': {
    ...sound,
    ...fitted(async ({ x, y }) => ({
      x: { ...x, data: x.data.map((v) => Math.min(1, v + 0.01 * Math.random())) },
      loss: learning(y),
    })),
  },
  'goes on after an interruption as if there had been none': {
    ...sound,
    async run(job) {
      let lessons = 0;
      await fitted(async ({ x, y }) => {
        const share = lessons++ < 10 ? 0.9 : 1;
        return { x: { ...x, data: x.data.map((v) => share * v) }, loss: learning(y) };
      }).run(job);
    },
  },
};

describe.each(Object.entries(trainingChecks))('the check "%s"', (name, check) => {
  it('lets a sound defence pass', async () => {
    await check({ defence: sound, options: {} });
  });

  it('catches a broken one', async () => {
    await expect(check({ defence: BROKEN[name]!, options: {} })).rejects.toThrow(/^Unexpected /);
  });
});
