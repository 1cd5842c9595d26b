import {
  defineAttack,
  type CertificateMetric,
  defineCertificateMetric,
  defineMetric,
  type EvasionJob,
  type Finds,
  type Metric,
  type Schema,
} from '@gauntlet/core';
import { crossEntropy, logOdds } from '@gauntlet/kit';
import { like, type Tensor } from '@gauntlet/tensor';
import { attackChecks, certificateMetricChecks, madeRow, metricChecks } from './index.js';

/** For every check of a harness a plugin that is wrong in that one way: a check that cannot fail checks nothing. */

const options = (property: object): Schema => ({
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => ({ value }),
    jsonSchema: { input: () => ({ properties: { steps: { type: 'integer', ...property } } }) },
  },
});
const described = options({ description: 'gradient steps' });

type Job = EvasionJob<'gradients'>;
const attack = (run: (job: Job) => Promise<Tensor>, more: object = {}, finds: Finds = 'within-budget') =>
  defineAttack({
    ...{ id: 'attack/test', summary: 'For tests.', cites: ['a book'], access: 'gradients', norms: ['linf'] },
    ...{ finds, options: described },
    run,
    ...more,
  });

const climb =
  (loss = logOdds, share = 0.1, steps = 40) =>
  async ({ model, x, ball, goal }: Job) => {
    let at = x;
    for (let i = 0; i < steps; i++)
      at = ball.step(at, (await model.gradient(at, loss(goal))).gradient, share);
    return at;
  };

/** Bisects along the gradient's sign: exact on the linear toy. */
const bisect =
  (rounds = 20) =>
  async ({ model, x, ball, goal }: Job) => {
    const { gradient } = await model.gradient(x, logOdds(goal));
    const at = (far: number) =>
      ball.project(
        like(
          x,
          x.data.map((v, j) => v + far * Math.sign(gradient.data[j]!)),
        ),
      );
    for (let k = 1; k <= rounds; k++) await model.scores(at(2 ** -k));
    for (let far = 0.25; far > 1e-4; far *= 0.97) await model.scores(at(far));
    return at(0);
  };

const nothing = async ({ x }: Job) => x;
const NaNs = async ({ x }: Job) =>
  like(
    x,
    x.data.map(() => NaN),
  );
let turns = 0;

const broken: Record<string, ReturnType<typeof attack>> = {
  'says who it is': attack(climb(), { id: 'Test' }),
  'describes its options and has a default for each': attack(climb(), { options: options({}) }),
  'asks no more than its cost says': attack(climb(), { cost: () => ({ gradients: 10, queries: 10 }) }),
  'leaves its input alone': attack(async (job) => (job.x.data.fill(0.5, 0, 1), climb()(job))),
  'gives the same answer for the same seed': attack(async (job) =>
    climb(logOdds, 0.05 + 0.02 * turns++, 3)(job),
  ),
  'treats each sample by itself, whatever the batch': attack(async ({ ball, random }) =>
    ball.sample(random.map(() => random[0]!)),
  ),
  'breaks everything when the ball holds the whole box': attack(nothing),
  'does not care about a shift of all scores': attack(async (job) =>
    (await job.model.scores(job.x)).data[0]! > 50 ? job.x : climb()(job),
  ),
  'is not fooled by large scores': attack(climb(crossEntropy)),
  'reaches targets, and leaves others alone': attack((job) =>
    climb()({ ...job, goal: { ...job.goal, kind: 'untargeted' } }),
  ),
  'stops when it is told to': attack(async ({ model, x }) => {
    for (let i = 0; i < 9; i++) await model.scores(x).catch(() => undefined);
    return x;
  }),
  'beats random noise of the same size': attack(async ({ ball, random }) => ball.sample(random)),
  'reaches the optimum of a linear model': attack(climb(logOdds, 0.02, 40)),
  'stays in ball and box, from saturated inputs too': attack(NaNs),
  'gives the input back at epsilon 0 when crafting': attack(NaNs),
  'moves samples that it does not break, when crafting': attack(nothing),
};

const brokenSmallest: Record<string, ReturnType<typeof attack>> = {
  'stays in the box, from saturated inputs too, and its distances are true': attack(nothing, {}, 'smallest'),
  'comes near the known distances of a linear model, and never below them': attack(
    async ({ ball, random }) => ball.sample(random),
    {},
    'smallest',
  ),
  'keeps its nearest points when queries run out': attack(
    (job) => (job.queries < Infinity ? bisect(0)(job) : climbOnce(job)),
    {},
    'smallest',
  ),
};

async function climbOnce({ model, x, ball, goal }: Job) {
  const { gradient } = await model.gradient(x, logOdds(goal));
  const corner = like(
    x,
    x.data.map((v, j) => v + Math.sign(gradient.data[j]!)),
  );
  for (let i = 0; i < 400; i++) await model.scores(ball.project(corner));
  return ball.project(corner);
}

const subject = (subject: ReturnType<typeof attack>) => ({
  attack: subject,
  norm: 'linf' as const,
  options: {},
});

describe.each([
  ['within a budget', attack(climb()), broken],
  ['the smallest', attack(bisect(), {}, 'smallest'), brokenSmallest],
])('the harness of attacks that find a point %s', (_, sound, wrong) => {
  const checks = attackChecks(sound);

  it.each(Object.keys(checks))('lets a sound attack pass: %s', async (name) => {
    await checks[name]!(subject(sound));
  });

  it.each(Object.keys(wrong))('catches one that fails: %s', async (name) => {
    await expect(checks[name]!(subject(wrong[name]!))).rejects.toThrow(/^Unexpected /);
  });
});

it('has a broken attack for every check', () => {
  const known = [...Object.keys(broken), ...Object.keys(brokenSmallest)].sort();
  const all = [attack(climb()), attack(bisect(), {}, 'smallest')].flatMap((one) =>
    Object.keys(attackChecks(one)),
  );
  expect(known).toEqual([...new Set(all)].sort());
});

describe('the harness of metrics', () => {
  const metric = (over: Metric['over'], id = 'metric/test') =>
    defineMetric({ id, summary: 'For tests.', per: 'run', over });
  const count = metric((rows) => rows.length);
  const wrong: Record<string, Metric> = {
    'says who it is': metric(() => 0, 'Test'),
    'gives the same value for rows in another order': metric((rows) => rows[0]?.verdict ?? null),
    'leaves rows alone': metric((rows) => rows.map((row) => Object.assign(row, { label: 9 })).length),
    'gives data that JSON can hold, of no rows too': metric((rows) => 1 / rows.length),
  };

  it.each(Object.keys(metricChecks))('lets a sound metric pass and catches one that fails: %s', (name) => {
    expect(() => metricChecks[name]!(count)).not.toThrow();
    expect(() => metricChecks[name]!(wrong[name]!)).toThrow();
  });

  const certified = (over: CertificateMetric['over'], id = 'metric/test') =>
    defineCertificateMetric({ id, summary: 'For tests.', over });
  const wrongly: Record<string, CertificateMetric> = {
    'says who it is': certified(() => 0, 'Test'),
    'gives the same value for rows in another order': certified((all) => all[0]?.sample ?? null),
    'leaves rows alone': certified(
      (all) => all.map((one) => Object.assign(one.certificate, { radius: 9 })).length,
    ),
    'gives data that JSON can hold, of no rows too': certified((all) => 1 / all.length),
  };

  it.each(Object.keys(certificateMetricChecks))('catches one over certificates that fails: %s', (name) => {
    expect(() => certificateMetricChecks[name]!(certified((all) => all.length))).not.toThrow();
    expect(() => certificateMetricChecks[name]!(wrongly[name]!)).toThrow();
  });

  it('makes rows whose parts agree', () => {
    expect(madeRow({ verdict: 'broken', epsilon: 0.3 })).toMatchObject({
      adversarial: 1,
      distance: { linf: 0.3 },
    });
    expect(madeRow()).toMatchObject({ verdict: 'held', adversarial: 0, distance: null });
  });
});
