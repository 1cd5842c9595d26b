import { row, rows, type Tensor } from '@gauntlet/tensor';
import { datasetOf, linearToy } from '@gauntlet/testing';
import {
  apply,
  assemble,
  type Attack,
  type Certificate,
  type Certified,
  certifiedShardCount,
  certify,
  type CertifierJob,
  type Clean,
  defineAttack,
  defineCertifier,
  definePreprocessor,
  defineWrapper,
  type Layer,
  ownProver,
  type Plan,
  type Prover,
  proverOf,
  type Schema,
  shardCount,
} from './index.js';

const options: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const toy = linearToy({ samples: 20 });
const plan: Plan = {
  model: { name: 'toy', sha256: '' },
  data: { name: 'toy.npz', fingerprint: '', samples: 20 },
  threatModel: {
    goal: { kind: 'untargeted' },
    confidence: 0,
    access: 'gradients',
    norm: 'linf',
    epsilons: [0.01, 0.1],
    box: [0, 1],
    queries: null,
  },
  attacks: [],
  restarts: 1,
  batchSize: 8,
  seed: 0,
};

type Job = Omit<CertifierJob, 'options'>;
let asked: Job[] = [];
beforeEach(() => (asked = []));

const certifier = (finds: 'at-epsilon' | 'largest', answer: (job: Job) => Certificate[]) =>
  defineCertifier({
    id: 'certifier/test',
    summary: 'For tests.',
    cites: [],
    options,
    certificate: {
      norms: ['linf'],
      finds,
      words: () => 'certain',
      async certify(job) {
        asked.push(job);
        return answer(job);
      },
    },
  });
const robust = ({ x, epsilon }: Job): Certificate[] =>
  Array.from({ length: rows(x) }, () => ({ outcome: 'robust', radius: epsilon }));

async function certificates(prover: Prover, more: Partial<Plan> = {}, done = new Set<string>()) {
  const parts = { model: toy.model, dataset: datasetOf(toy), provers: [prover], attack: () => undefined };
  const assembled = await assemble({ ...plan, ...more }, parts);
  const io = { signal: new AbortController().signal, now: () => 0, done: (key: string) => done.has(key) };
  const found: Certified[] = [];
  let shards = 0;
  for await (const { key, certified } of certify(assembled, io)) {
    done.add(key);
    found.push(...certified);
    shards++;
  }
  return { found, shards, expected: certifiedShardCount(assembled) };
}

it('asks at each epsilon, or once where the largest radius is found', async () => {
  const each = await certificates(proverOf(certifier('at-epsilon', robust), {}));
  expect(asked.map(({ epsilon }) => epsilon)).toEqual([0.01, 0.1, 0.01, 0.1, 0.01, 0.1]);
  expect([each.found.length, each.shards]).toEqual([40, each.expected]);
  for (const { epsilon, certificate } of each.found)
    expect(certificate).toEqual({ outcome: 'robust', radius: epsilon });
  asked = [];
  const once = await certificates(proverOf(certifier('largest', robust), {}));
  expect(asked.map(({ epsilon }) => epsilon)).toEqual([0.1, 0.1, 0.1]);
  expect([once.found.length, once.shards]).toEqual([40, once.expected]);
  expect(once.found[0]).toMatchObject({
    ...{ certifier: 'certifier/test', sample: 0, epsilon: 0.01, label: toy.y[0], answer: toy.y[0] },
    certificate: { outcome: 'robust', radius: 0.1 },
  });
});

it('does nothing twice', async () => {
  const prover = proverOf(certifier('at-epsilon', robust), {});
  const done = new Set<string>();
  await certificates(prover, {}, done);
  expect((await certificates(prover, {}, done)).shards).toBe(0);
});

it('leaves its clean answers to attacks, which ask nobody again', async () => {
  let calls = 0;
  const scores = async (points: Tensor) => (calls++, toy.model.scores(points));
  const still = defineAttack({
    ...{ id: 'attack/still', summary: 'For tests.', cites: [], access: 'scores', norms: ['linf'] },
    ...{ finds: 'within-budget', options, run: async ({ x }: { x: Tensor }) => x },
  } as never) as Attack;
  const assembled = await assemble(
    { ...plan, attacks: [{ use: 'attack/still', options: {} }] },
    {
      model: { ...toy.model, scores },
      dataset: datasetOf(toy),
      provers: [proverOf(certifier('largest', robust), {})],
      attack: () => still,
    },
  );
  const clean = new Map<number, Clean>();
  const io = { signal: new AbortController().signal, now: () => 0, clean };
  const all = async (shards: AsyncGenerator<unknown>) => {
    calls = 0;
    while (!(await shards.next()).done);
    return calls;
  };
  const check = shardCount(assembled);
  expect(await all(certify(assembled, io))).toBe(3);
  expect(await all(apply(assembled, io))).toBe(check);
  expect(clean.size).toBe(0);
  expect(await all(apply(assembled, io))).toBe(check + 3);
});

/** The nearest point on the other side, and a bit; `share` of the way to it. */
const witnesses = (share: number) =>
  certifier('at-epsilon', ({ x, answers, epsilon }) =>
    Array.from(answers, (answer, i): Certificate => {
      const far = toy.distance(i, 'linf');
      if (far * 1.05 > epsilon) return { outcome: 'unknown', why: 'far' };
      const sign = answer === 1 ? -1 : 1;
      return {
        outcome: 'broken',
        witness: row(x, i).map((value, k) => value + sign * share * 1.01 * far * Math.sign(slopes[k]!)),
      };
    }),
  );
/** The derivative of the second score less the first, the same everywhere. */
let slopes: number[] = [];
beforeAll(async () => {
  const by = async (score: number) => {
    const term = { op: 'pick', class: 'one' } as const;
    const loss = { term, classes: { one: new Int32Array(20).fill(score) }, given: {} };
    return row((await toy.model.gradient(toy.x, loss)).gradient, 0);
  };
  const [first, second] = [await by(0), await by(1)];
  slopes = Array.from(second, (value, k) => value - first[k]!);
});

it('looks at witnesses, and puts their distance down', async () => {
  const { found } = await certificates(proverOf(witnesses(1), {}), {
    batchSize: 20,
    threatModel: { ...plan.threatModel, epsilons: [0.2] },
  });
  const broken = found.flatMap(({ certificate }) =>
    certificate.outcome === 'broken' ? [certificate.distance] : [],
  );
  expect(broken.length).toBeGreaterThan(2);
  broken.forEach((distance) => expect(distance).toBeLessThanOrEqual(0.2));
});

it.each<[string, Prover]>([
  ['a witness that gets the same answer', proverOf(witnesses(0.5), {})],
  [
    'too few certificates',
    proverOf(
      certifier('largest', () => []),
      {},
    ),
  ],
  [
    'a radius that is none',
    proverOf(
      certifier('largest', (job) => robust({ ...job, epsilon: NaN })),
      {},
    ),
  ],
])('refuses %s as a defect', async (_, prover) => {
  const more = { batchSize: 20, threatModel: { ...plan.threatModel, epsilons: [0.2] } };
  await expect(certificates(prover, more)).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringMatching(/^Unexpected .* from certifier\/test, expected /),
  });
});

it('refuses norms that a proof does not know', async () => {
  const threatModel = { ...plan.threatModel, norm: 'l2' } as const;
  await expect(certificates(proverOf(certifier('largest', robust), {}), { threatModel })).rejects.toThrow(
    'Unexpected norm l2 at certifier/test, expected linf.',
  );
});

describe('a wrapper that proves things about its own answers', () => {
  const wrapper: Layer = {
    options: { sigma: 1 },
    defence: defineWrapper({
      id: 'defence/proving',
      summary: 'For tests.',
      cites: [],
      options,
      backward: 'exact',
      models: 'one',
      random: true,
      wrap: ({ models }) => models[0],
      certificate: {
        ...certifier('largest', robust).certificate,
        async certify({ noise, models, x }) {
          expect(models).toHaveLength(1);
          return noise([...Array(rows(x)).keys()]).map((own) => ({
            outcome: 'robust',
            radius: own.uniform(),
          }));
        },
      },
    }),
  };
  const before: Layer = {
    options: {},
    defence: definePreprocessor({
      ...{ id: 'defence/before', summary: 'For tests.', cites: [], options, backward: 'identity' },
      run: async ({ x }) => x,
    }),
  };

  it('draws noise of its samples, whatever the batch', async () => {
    const prover = ownProver([toy.model], [wrapper, before])!;
    const radii = async (batchSize: number) =>
      (await certificates(prover, { batchSize })).found
        .filter(({ epsilon }) => epsilon === 0.1)
        .map(({ certificate }) => (certificate.outcome === 'robust' ? certificate.radius : -1));
    const found = await radii(20);
    expect(new Set(found).size).toBe(20);
    expect(await radii(7)).toEqual(found);
  });

  it('does so only where its answers are those of the system', () => {
    expect(ownProver([toy.model], [before, wrapper])).toBeNull();
    expect(ownProver([toy.model], [before])).toBeNull();
    expect(ownProver([toy.model], [])).toBeNull();
  });
});
