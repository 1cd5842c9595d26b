import { type ApplyJob, defineUniversal, type FitJob, type Schema, type Universal } from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { type BallNorm, like, row, rows, take, type Tensor } from '@gauntlet/tensor';
import { universalChecks } from './universal.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

type Job = FitJob<'gradients'>;
const plus = (x: Tensor, noise: Tensor) =>
  like(
    x,
    x.data.map((value, i) => value + noise.data[i % noise.data.length]!),
  );

const climb =
  (passes: number, signal = true) =>
  async ({ model, data, ball }: Job) => {
    let noise = ball.centre;
    for (let k = 0; k < passes; k++) {
      for await (const { x, goal } of data.pass(7)) {
        const { gradient } = await model.gradient(plus(x, noise), logOdds(goal));
        const sum = take(gradient, [0]);
        for (let i = 1; i < rows(x); i++) row(gradient, i).forEach((value, j) => (sum.data[j]! += value));
        noise = signal ? ball.step(noise, sum, 0.2) : plus(noise, sum);
      }
    }
    return { noise };
  };

/** A universal perturbation by summed gradients: nothing is wrong with it. */
const sound = defineUniversal({
  id: 'attack/test',
  summary: 'For tests.',
  cites: ['a book'],
  access: 'gradients',
  norms: ['linf'],
  options: anything,
  cost: () => ({ gradients: 8, queries: 8 }),
  fit: climb(8),
  apply: ({ x, artifact }) => plus(x, artifact['noise']!),
});

/** One option that nobody explains. */
const unexplained: Schema = {
  '~standard': {
    ...anything['~standard'],
    jsonSchema: { input: () => ({ properties: { rate: { type: 'number', default: 1 } } }) },
  },
};

const fitting = (fit: (job: Job) => Promise<Record<string, Tensor>>): Universal => ({
  ...sound,
  fit: fit as Universal['fit'],
});
let turns = 0;
let remembered: Tensor;

const BROKEN: Record<keyof typeof universalChecks, Universal> = {
  'says who it is': { ...sound, cites: [] },
  'describes its options and has a default for each': { ...sound, options: unexplained },
  'asks no more than its cost says': { ...sound, cost: () => ({ gradients: 7, queries: 8 }) },
  'leaves samples alone': fitting(async (job) => {
    for await (const { x } of job.data.pass(3)) x.data.fill(0, 0, 1);
    return climb(8)(job);
  }),
  'fits the same for the same seed': fitting((job) => climb(3 + turns++)(job)),
  'keeps nothing but its artifact': {
    ...fitting(async (job) => {
      remembered = (await climb(8)(job))['noise'];
      return {};
    }),
    apply: ({ x }) => plus(x, remembered),
  },
  'treats each sample by itself, whatever the batch': {
    ...sound,
    apply: ({ x, artifact }) =>
      plus(
        x,
        like(
          artifact['noise']!,
          artifact['noise']!.data.map((v) => v / rows(x)),
        ),
      ),
  },
  'draws where it says so, and nowhere else': { ...sound, random: true },
  'stays in the ball on samples that it never saw': fitting(climb(8, false)),
  'breaks more than random noise of the same size': fitting(async ({ ball, random }) => ({
    noise: ball.sample([random]),
  })),
  'drives to a target': fitting((job) => {
    const pass = async function* (size: number) {
      for await (const { x, goal } of job.data.pass(size))
        yield { x, goal: { ...goal, kind: 'untargeted' as const } };
    };
    return climb(8)({ ...job, data: { ...job.data, pass } });
  }),
  'reaches the optimum of a linear model': fitting(async (job) => {
    const { noise } = await climb(8)(job);
    return {
      noise: like(
        noise,
        noise.data.map((value) => 0.8 * value),
      ),
    };
  }),
  'stops when it is told to': fitting(async ({ model, data, ball }) => {
    for await (const { x } of data.pass(1)) await model.scores(x).catch(() => undefined);
    return { noise: ball.centre };
  }),
};

const subject = (attack: Universal) => ({ attack, options: {}, norm: 'linf' as BallNorm });

describe.each(Object.entries(universalChecks))('the check "%s"', (name, check) => {
  it('lets a sound attack pass', async () => {
    await check(subject(sound));
  });

  it('catches a broken one', async () => {
    await expect(check(subject(BROKEN[name]!))).rejects.toThrow(/^Unexpected /);
  });
});

it('lets an attack pass that draws, and says so', async () => {
  const shy: Universal = {
    ...sound,
    random: true,
    apply: ({ x, artifact, random }: ApplyJob) => {
      const moved = plus(x, artifact['noise']!);
      random.forEach((own, i) => row(moved, i).fill(0.5, own.integer(8), 8));
      return moved;
    },
  };
  await universalChecks['draws where it says so, and nowhere else']!(subject(shy));
});
