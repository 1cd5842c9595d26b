import { trainOnnx } from '@gauntlet/adapter-onnx';
import {
  accuracyOf,
  type Dataset,
  defineTraining,
  federate,
  type FederationTask,
  poison,
  type PoisonRow,
  type TrainableModel,
  type TrainingTask,
  triggeredOf,
} from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import npz from '@gauntlet/dataset-npz';
import { testPoisoning } from '@gauntlet/testing';
import { z } from 'zod';
import labelFlipping from './label-flipping.js';
import modelReplacement from './model-replacement.js';

testPoisoning(labelFlipping);
testPoisoning(modelReplacement);

const bounds = [0, 1] as const;
const digits = (name: string) =>
  npz.open(`fixtures/digits/${name}.npz`, { bounds, options: { x: 'x', y: 'y' } });
const [digitsToLearn, test] = await Promise.all([digits('train1000'), digits('test500')]);

const model: TrainableModel = await trainOnnx('fixtures/models/mlp.onnx', {
  ...{ bounds, trial: false },
  optimiser: { kind: 'adam', rate: 2e-3 },
});
afterAll(() => model.close());

/** Training as usual. */
const learn = (fresh: boolean) =>
  defineTraining({
    ...{ id: 'defence/none', summary: 'For tests.', cites: [], crafts: null, norms: [] },
    options: z.strictObject({}),
    run: ({ fit }) =>
      fit({
        ...{ name: 'usual', fresh },
        lesson: async ({ x, y }) => ({
          x,
          loss: crossEntropy({ kind: 'untargeted', classes: y, confidence: 0 }),
        }),
      }),
  });

const training = (dataset: Dataset, more: Partial<TrainingTask> = {}): TrainingTask => ({
  ...{ defence: learn(true), options: {}, model, dataset, threat: null, heldOut: 100 },
  ...{ epochs: 6, batchSize: 50, patience: Infinity, seed: 0 },
  ...more,
});

const io = {
  ...{ signal: new AbortController().signal, now: () => 0, resume: null },
  ...{ save: async () => undefined, onEpoch: () => undefined, onUpdate: () => undefined },
};

describe('label flipping', () => {
  const flipped = (share: number, target: number | null = null) =>
    poison(
      { attack: labelFlipping, options: {}, share, target, training: training(digitsToLearn), test },
      io,
    );

  it('costs the trained model the more of its accuracy, the more labels are flipped', async () => {
    const [none, some, most] = [await flipped(0), await flipped(0.4), await flipped(0.8)].map(accuracyOf);
    expect(none).toBeGreaterThan(0.8);
    expect(some).toBeLessThan(none! - 0.05);
    expect(most).toBeLessThan(0.5);
  });

  it('turns answers into the target', async () => {
    const rows = await flipped(0.6, 3);
    expect(rows.filter(({ answer }) => answer === 3).length).toBeGreaterThan(0.6 * rows.length);
    expect(rows[0]).toMatchObject({
      attack: 'attack/label-flipping',
      share: 0.6,
      target: 3,
      triggered: null,
    });
  });
});

/** One of several equal parts of a data set. */
function part(dataset: Dataset, place: number, of: number): Dataset {
  const size = Math.floor(dataset.samples / of);
  return {
    ...{ name: `${dataset.name} ${place}`, fingerprint: `${dataset.fingerprint} ${place}` },
    ...{ samples: size, shape: dataset.shape },
    batch: (from, to) => dataset.batch(place * size + from, place * size + to),
  };
}

describe('model replacement', () => {
  const clients = Array.from({ length: 4 }, (_, place) => part(digitsToLearn, place, 4));
  const task = (more: Partial<FederationTask>): FederationTask => ({
    ...{ attack: modelReplacement, options: { size: 4, boost: 1 }, share: 0.3, target: 7 },
    ...{ clients, test, rounds: 1, attacked: [] },
    training: training(digitsToLearn, { defence: learn(false), epochs: 3, heldOut: 25, batchSize: 25 }),
    ...more,
  });
  const last = async (more: Partial<FederationTask>) => {
    let rows: readonly PoisonRow[] = [];
    for await (const round of federate(task(more), io)) rows = round.rows;
    return { accuracy: accuracyOf(rows), triggered: triggeredOf(rows) };
  };

  it('puts a backdoor into the common model in one round, by a boosted update and not by a plain one', async () => {
    await model.initialise(1);
    const before = await last({ rounds: 2 });
    const state = await model.state();
    const attackedBy = async (boost: number) => {
      await model.restore(state);
      return last({ attacked: [1], options: { size: 4, boost } });
    };
    const [boosted, plain] = [await attackedBy(1), await attackedBy(1 / clients.length)];
    expect(before.triggered).toBeLessThan(0.05);
    expect(plain.triggered).toBeLessThan(0.15);
    expect(boosted.triggered).toBeGreaterThan(0.6);
    // Who looks at accuracy alone sees little.
    expect(boosted.accuracy).toBeGreaterThan(before.accuracy - 0.05);
  });
});
