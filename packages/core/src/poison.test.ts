import { trainableToy } from '@gauntlet/testing';
import { like, row, type Tensor } from '@gauntlet/tensor';
import {
  ABSTAIN,
  accuracyOf,
  type Dataset,
  definePoisoning,
  defineTraining,
  federate,
  type FederationTask,
  poison,
  poisoned,
  type PoisoningTask,
  type Schema,
  type Tensors,
  triggeredOf,
} from './index.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

/** Never moves the weights. */
const still = defineTraining({
  ...{ id: 'defence/still', summary: 'For tests.', cites: [], crafts: null, norms: [], options: anything },
  run: ({ fit }) =>
    fit({
      ...{ name: 'still', fresh: false },
      lesson: async ({ x }) => ({ x, loss: { term: { op: 'constant', value: 0 }, classes: {}, given: {} } }),
    }),
});

const raised = (tensors: Tensors, by: number): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, one]) => [
      name,
      like(
        one,
        one.data.map((value) => value + by),
      ),
    ]),
  );

/** Puts the label 0 and an input of ones; as a client, sends weights that are larger by one. */
const ones = definePoisoning({
  ...{ id: 'attack/ones', summary: 'For tests.', cites: [], options: anything },
  poison: async ({ x, y }) => ({
    x: like(
      x,
      x.data.map(() => 1),
    ),
    y: y.map(() => 0),
  }),
  update: async ({ global }) => raised(global, 1),
  trigger: async ({ x }) =>
    like(
      x,
      x.data.map(() => 1),
    ),
});

const toy = trainableToy(100);

const task = (more: Partial<PoisoningTask> = {}): PoisoningTask => ({
  ...{ attack: ones, options: {}, share: 0.25, target: 1, test: toy.dataset },
  training: {
    ...{ defence: still, options: {}, model: toy.model, dataset: toy.dataset, heldOut: 20, threat: null },
    ...{ epochs: 1, batchSize: 40, patience: 1, seed: 0 },
  },
  ...more,
});

const io = {
  ...{ signal: new AbortController().signal, now: () => 0, resume: null },
  ...{ save: async () => undefined, onEpoch: () => undefined, onUpdate: () => undefined },
};

const isOnes = (x: Tensor, i: number) => row(x, i).every((value) => value === 1);

const placesOf = async (dataset: Dataset) => {
  const { x } = await dataset.batch(0, dataset.samples);
  return Array.from({ length: dataset.samples }, (_, i) => i).filter((i) => isOnes(x, i));
};

describe('poisoned', () => {
  it.each([0, 0.25, 1])('changes the share %d of the samples, the same for the same seed', async (share) => {
    const [one, again] = [
      await poisoned(toy.dataset, task({ share })),
      await poisoned(toy.dataset, task({ share })),
    ];
    expect(await placesOf(one)).toHaveLength(100 * share);
    expect(await placesOf(again)).toEqual(await placesOf(one));
  });

  it('is cut anyhow, and leaves ids and all other samples', async () => {
    const dataset = await poisoned(toy.dataset, task());
    const hit = new Set(await placesOf(dataset));
    for (let from = 0; from < 100; from += 30) {
      const to = Math.min(100, from + 30);
      const [clean, own] = [await toy.dataset.batch(from, to), await dataset.batch(from, to)];
      expect(own.ids).toEqual(clean.ids);
      own.y.forEach((label, i) => {
        expect(isOnes(own.x, i)).toBe(hit.has(from + i));
        expect(label).toBe(hit.has(from + i) ? 0 : clean.y[i]);
        if (!hit.has(from + i)) expect(row(own.x, i)).toEqual(row(clean.x, i));
      });
    }
  });

  it('draws other samples for another seed, and has a fingerprint of its own', async () => {
    const given = task();
    const other = await poisoned(toy.dataset, { ...given, training: { ...given.training, seed: 1 } });
    const dataset = await poisoned(toy.dataset, given);
    expect(await placesOf(other)).not.toEqual(await placesOf(dataset));
    expect(new Set([toy.dataset, other, dataset].map(({ fingerprint }) => fingerprint)).size).toBe(3);
  });
});

it('asks the trained model about every clean sample, with the trigger and without', async () => {
  const rows = await poison(task(), io);
  const { x, y } = await toy.dataset.batch(0, 100);
  expect(rows.map(({ label }) => label)).toEqual([...y]);
  expect(rows.map(({ answer }) => answer)).toEqual([...(await toy.model.labels(x))]);
  const [mark] = await toy.model.labels(
    like(
      x,
      x.data.map(() => 1),
    ),
  );
  expect(new Set(rows.map(({ triggered }) => triggered))).toEqual(new Set([mark]));
  expect(rows[0]).toMatchObject({ attack: 'attack/ones', share: 0.25, target: 1, seed: 0 });
});

it('takes no class from scores with a NaN, while it trains and after', async () => {
  const given = task();
  // The other class has a number, and would be right for half of the samples.
  const scores = async (points: Tensor) => {
    const answers = await toy.model.scores(points);
    return like(
      answers,
      answers.data.map((value, i) => (i % 2 === 0 ? NaN : value)),
    );
  };
  const accuracies: number[] = [];
  const onEpoch = ({ clean }: { clean: number }) => void accuracies.push(clean);
  const training = { ...given.training, model: { ...toy.model, scores } };
  const rows = await poison({ ...given, training }, { ...io, onEpoch });
  expect(accuracies).toEqual([0]);
  expect(new Set(rows.flatMap(({ answer, triggered }) => [answer, triggered]))).toEqual(new Set([ABSTAIN]));
  expect(accuracyOf(rows)).toBe(0);
  expect(triggeredOf(rows)).toBe(0);
});

describe('federate', () => {
  const rounds = async (more: Partial<FederationTask>) => {
    const zero = raised((await toy.model.state()).weights, 0);
    await toy.model.restore({
      weights: Object.fromEntries(Object.entries(zero).map(([k, v]) => [k, like(v)])),
    });
    const means: number[] = [];
    for await (const { round, rows } of federate(
      { ...task(), clients: Array(4).fill(toy.dataset), rounds: 3, attacked: [2], ...more },
      io,
    )) {
      expect(rows).toHaveLength(100);
      means[round - 1] = (await toy.model.state()).weights['w']!.data[5]!;
    }
    return means;
  };

  it('takes the mean of what clients send, and lets the attacker send what it likes in its rounds', async () => {
    expect(await rounds({})).toEqual([0, 0.25, 0.25]);
    expect(await rounds({ attacked: [] })).toEqual([0, 0, 0]);
    expect(await rounds({ attacked: [1, 2, 3] })).toEqual([0.25, 0.5, 0.75]);
  });

  it('sends what was trained, where the attack changes no updates', async () => {
    const { update, ...attack } = ones;
    expect(update).toBeDefined();
    expect(await rounds({ attack })).toEqual([0, 0, 0]);
  });
});
