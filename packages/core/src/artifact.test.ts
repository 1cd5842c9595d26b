import { like, row, take, tensor, type Tensor } from '@gauntlet/tensor';
import { datasetOf, imageToy } from '@gauntlet/testing';
import {
  apply,
  assemble,
  defineAttack,
  defineUniversal,
  type FitJob,
  type Kept,
  type Model,
  type Plan,
  type Row,
  type Schema,
  shardCount,
  type ThreatModel,
  type Universal,
} from './index.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
/** So many samples are fitted on. */
const FIT = 12;

const THREAT: ThreatModel = {
  ...{ goal: { kind: 'untargeted' }, confidence: 0, access: 'gradients', norm: 'linf' },
  ...{ epsilons: [0.4], box: [0, 1], queries: null },
};

type Job = FitJob<'gradients'>;
const plus = (x: Tensor, noise: Tensor) =>
  like(
    x,
    x.data.map((value, i) => value + noise.data[i % noise.data.length]!),
  );

const facts = { summary: 'For tests.', cites: ['here'], norms: ['linf'], options: anything } as const;

/** One step along the gradient of the first batch. */
const shove = defineUniversal({
  ...facts,
  id: 'attack/shove',
  access: 'gradients',
  async fit({ model, data, ball }) {
    for await (const { x, goal } of data.pass(1)) {
      const loss = {
        term: { op: 'pick', class: 'goal' },
        classes: { goal: goal.classes },
        given: {},
      } as const;
      const { gradient } = await model.gradient(x, loss);
      return {
        noise: ball.step(
          ball.centre,
          like(
            gradient,
            gradient.data.map((g) => -g),
          ),
          1,
        ),
      };
    }
    throw new Error('no samples');
  },
  apply: ({ x, artifact }) => plus(x, artifact['noise']!),
});

const stay = defineAttack({
  ...{ ...facts, id: 'attack/stay', access: 'scores', finds: 'within-budget' },
  run: async ({ model, x }) => (await model.scores(x), x),
});

async function run(
  attack: Universal,
  {
    plan = {},
    artifacts = new Map<string, Kept>(),
    wrap = (model: Model) => model as Model<'gradients'>,
    apart = true,
  } = {} as {
    plan?: Partial<Plan>;
    artifacts?: Map<string, Kept>;
    wrap?: (model: Model) => Model<'gradients'>;
    apart?: boolean;
  },
) {
  const { model, x, y } = imageToy();
  const some = (from: number, to: number) =>
    datasetOf({
      x: take(
        x,
        Array.from({ length: to - from }, (_, i) => from + i),
      ),
      y: y.slice(from, to),
    });
  const whole: Plan = {
    model: { name: 'toy', sha256: '' },
    data: { name: 'toy', fingerprint: '', samples: y.length - FIT },
    threatModel: THREAT,
    attacks: [{ use: attack.id, options: {} }],
    ...{ restarts: 1, batchSize: 10, seed: 0 },
    ...plan,
  };
  const assembled = await assemble(whole, {
    model: wrap(model),
    dataset: some(FIT, y.length),
    ...(apart && { fit: some(0, FIT) }),
    attack: (id) => [attack, stay].find((one) => one.id === id),
  });
  const rows: Row[] = [];
  const io = {
    signal: new AbortController().signal,
    now: () => 0,
    artifacts: {
      load: async (key: string) => artifacts.get(key) ?? null,
      save: async (key: string, kept: Kept) => void artifacts.set(key, kept),
    },
  };
  for await (const shard of apply(assembled, io)) rows.push(...shard.rows);
  return { rows, artifacts, shards: shardCount(assembled), x };
}

describe('a plan with a universal attack', () => {
  it('makes rows on samples that fit never saw, of every attack', async () => {
    const seen = new Set<string>();
    const watching: Universal = {
      ...shove,
      fit: async ({ data, ball }: Job) => {
        for await (const { x } of data.pass(5)) {
          for (let i = 0; i < x.shape[0]!; i++) seen.add(String(row(x, i)));
        }
        return { noise: ball.centre };
      },
    };
    const attacks = [shove.id, stay.id].map((use) => ({ use, options: {} }));
    const { rows, shards, x } = await run(watching, { plan: { attacks } });
    expect(seen).toEqual(new Set(Array.from({ length: FIT }, (_, i) => String(row(x, i)))));
    for (const { use } of attacks) {
      const own = rows.filter(({ attack }) => attack === use);
      expect(own.map(({ sample }) => sample)).toEqual(Array.from({ length: 28 }, (_, i) => i));
    }
    expect(shards).toBe(6);
  });

  it('says what fitting took, asks once about each sample, and clips to ball and box', async () => {
    const huge: Universal = { ...shove, apply: (job) => plus(shove.apply(job), job.artifact['noise']!) };
    const { rows } = await run(huge);
    expect(rows).toHaveLength(28);
    for (const row of rows) {
      expect(row).toMatchObject({ finds: 'within-budget', queries: 1, gradients: 0 });
      expect(row.fit).toEqual({ samples: 12, queries: 1, gradients: 1, seconds: 0 });
      expect(row.votes).toBeUndefined();
      expect(row.distance?.linf ?? 0).toBeLessThanOrEqual(0.4000001);
    }
    expect(rows.filter(({ verdict }) => verdict === 'broken').length).toBeGreaterThan(0);
  });

  it('goes on with what an earlier run fitted, and depends on nothing else', async () => {
    const first = await run(shove);
    expect([...first.artifacts.keys()]).toEqual(['attack/shove 0.4']);
    const fit = () => Promise.reject(new Error('fitted again'));
    expect((await run({ ...shove, fit }, { artifacts: first.artifacts })).rows).toEqual(first.rows);
    const batched = await run(shove, { plan: { batchSize: 7 } });
    expect(batched.rows).toEqual(first.rows);
  });

  it('fits nothing at epsilon 0', async () => {
    const fit = () => Promise.reject(new Error('fitted'));
    const plan = { threatModel: { ...THREAT, epsilons: [0] } };
    const { rows } = await run({ ...shove, fit }, { plan });
    expect(rows.map(({ verdict, queries }) => [verdict, queries])).toEqual(rows.map(() => ['held', 0]));
  });

  it('takes most of several draws where the attack draws, as many as queries allow', async () => {
    const shares = new Map<number, number>();
    const sometimes: Universal = {
      ...shove,
      random: true,
      apply: ({ x, artifact, random }) => {
        const moved = plus(x, artifact['noise']!);
        random.forEach((own, i) => {
          if (own.uniform() < 0.5) moved.data.set(x.data.slice(64 * i, 64 * (i + 1)), 64 * i);
        });
        return moved;
      },
    };
    const { rows } = await run(sometimes);
    const sure = (await run(shove)).rows;
    rows.forEach((row, i) => {
      expect(row.queries).toBe(20);
      expect(row.votes).toMatchObject({ of: 20, spent: 20 });
      expect(row.verdict === 'broken').toBe(row.votes!.reached > 10);
      if (sure[i]!.verdict === 'held') expect(row.votes!.reached).toBe(0);
      shares.set(i, row.votes!.reached / 20);
    });
    expect(Math.max(...shares.values())).toBeLessThan(1);
    const few = await run(sometimes, {
      plan: { threatModel: { ...THREAT, queries: 3 } },
    });
    expect(new Set(few.rows.map(({ votes, queries }) => `${queries} ${votes!.of}`))).toEqual(
      new Set(['3 3']),
    );
  });

  it('counts what a detector turns away as held', async () => {
    const wrap = (model: Model): Model<'gradients'> => ({
      ...model,
      accepts: async ({ shape }) => Array.from({ length: shape[0]! }, () => false),
    });
    const { rows } = await run(shove, { wrap });
    expect(rows.every(({ verdict }) => verdict === 'held')).toBe(true);
  });

  it('is refused where there is nothing to fit on', async () => {
    await expect(run(shove, { apart: false })).rejects.toThrow(
      'Unexpected no samples to fit on at attack/shove, expected some that are not attacked.',
    );
  });

  it('refuses calls beyond the declared access, and artifacts that are not finite', async () => {
    const greedy: Universal = { ...shove, access: 'scores' };
    await expect(run(greedy)).rejects.toThrow(
      /^Unexpected call of gradient at an attack that declares access 'scores'/,
    );
    const wild: Universal = { ...shove, fit: async () => ({ noise: tensor(Float32Array.of(NaN), [1]) }) };
    await expect(run(wild)).rejects.toThrow(/^Unexpected NaN in 'noise' that attack\/shove fitted/);
  });
});
