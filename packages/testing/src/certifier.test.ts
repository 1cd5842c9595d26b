import {
  type Certificate,
  type Certifier,
  type CertifierJob,
  defineCertifier,
  type GradientModel,
  type Proof,
  type Schema,
} from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { ball, like, row, rows } from '@gauntlet/tensor';
import { certifierChecks } from './certifier.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

/** Bounds over the whole ball; where they fail, one walk uphill looks for a witness: nothing is wrong with it. */
async function certify({ model, x, answers, epsilon, box }: CertifierJob): Promise<Certificate[]> {
  const leads = await model.leastLeads!(
    like(
      x,
      x.data.map((value) => Math.max(box[0], value - epsilon - 1e-7)),
    ),
    like(
      x,
      x.data.map((value) => Math.min(box[1], value + epsilon + 1e-7)),
    ),
    answers.map((label) => Math.max(0, label)),
  );
  const gradients = model as GradientModel;
  const around = ball({ norm: 'linf', epsilon, centre: x, box });
  const goal = {
    kind: 'untargeted',
    classes: answers.map((label) => Math.max(0, label)),
    confidence: 0,
  } as const;
  let at = x;
  for (let step = 0; step < 5; step++)
    at = around.step(at, (await gradients.gradient(at, logOdds(goal))).gradient, 0.4);
  const labels = await gradients.labels(at);
  return Array.from(answers, (answer, i): Certificate => {
    const others = Array.from(row(leads, i)).filter((_, k) => k !== answer);
    if (others.length < model.classes && others.every((lead) => lead > 0))
      return { outcome: 'robust', radius: epsilon };
    if (answer >= 0 && labels[i] !== answer) return { outcome: 'broken', witness: row(at, i).slice() };
    return { outcome: 'unknown', why: 'the bounds are too wide' };
  });
}

const sound = defineCertifier({
  id: 'certifier/test',
  summary: 'For tests.',
  cites: ['here'],
  options: anything,
  certificate: {
    norms: ['linf'],
    finds: 'at-epsilon',
    words: () => 'For tests.',
    certify: (job: CertifierJob) => certify(job),
  },
});

/** One option that nobody explains. */
const unexplained: Schema = {
  '~standard': {
    ...anything['~standard'],
    jsonSchema: { input: () => ({ properties: { rate: { type: 'number', default: 1 } } }) },
  },
};

const proving = (change: Partial<Proof<CertifierJob<never>>>): Certifier => ({
  ...sound,
  certificate: { ...sound.certificate, ...change },
});
const after = (change: (one: Certificate, job: CertifierJob) => Certificate) =>
  proving({
    certify: async (job) =>
      (await certify(job as CertifierJob)).map((one) => change(one, job as CertifierJob)),
  });
const farther = (one: Certificate, by: number): Certificate =>
  one.outcome === 'robust' ? { ...one, radius: by * one.radius } : one;

const BROKEN: Record<keyof typeof certifierChecks, Certifier> = {
  'says who it is': { ...sound, summary: 'No full stop' },
  'describes its options and has a default for each': { ...sound, options: unexplained },
  'says what its certificates are worth': proving({ words: () => '' }),
  'certifies no farther than the boundary of a linear model': after((one) => farther(one, 1.05)),
  'certifies what is well within': after(() => ({ outcome: 'unknown', why: 'it is lazy' })),
  'certifies no other answer than the model gives': after((_, { epsilon }) => ({
    outcome: 'robust',
    radius: epsilon,
  })),
  'certifies each sample by itself, and leaves the input alone': after((one, { x }) =>
    farther(one, 1 - 1e-3 * rows(x)),
  ),
  'certifies nothing that an attack breaks': after((one) => farther(one, 20)),
  'gives witnesses that break': after((one, { x }) =>
    one.outcome === 'broken' ? { ...one, witness: row(x, 0).slice() } : one,
  ),
};

describe.each(Object.entries(certifierChecks))('the check "%s"', (name, check) => {
  it('lets a sound certifier pass', async () => {
    await check({ defence: sound, options: {} });
  });

  it('catches a broken one', async () => {
    await expect(check({ defence: BROKEN[name]!, options: {} })).rejects.toThrow(/^Unexpected /);
  });
});
