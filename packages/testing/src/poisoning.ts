import {
  accuracyOf,
  type Dataset,
  defineTraining,
  parseOptions,
  poison,
  poisoned,
  type Poisoning,
  type PoisoningTask,
  type TriggerJob,
  triggeredOf,
  type UpdateJob,
} from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import { stream, type Tensor } from '@gauntlet/tensor';
import { attackFacts } from './facts.js';
import { type Check, ensure, globalRunner, type Runner } from './runner.js';
import { trainableToy } from './trainable.js';

/** How a check is run: the attack and its options. */
export interface PoisoningSubject {
  readonly attack: Poisoning;
  readonly options: unknown;
}

/** Training as usual. */
const learn = defineTraining({
  id: 'defence/none',
  summary: 'Learns from the samples as they are.',
  cites: [],
  crafts: null,
  norms: [],
  options: {
    '~standard': { version: 1, vendor: 'gauntlet', validate: (value: unknown) => ({ value }) },
  } as const,
  run: ({ fit }) =>
    fit({
      name: 'usual',
      fresh: true,
      lesson: async ({ x, y }) => ({
        x,
        loss: crossEntropy({ kind: 'untargeted', classes: y, confidence: 0 }),
      }),
    }),
});

const TARGET = 1;

/** The share of samples that are poisoned: more than half, so that flipped labels outvote the others. */
const SHARE = 0.6;

const task = (subject: PoisoningSubject, more: Partial<PoisoningTask> = {}): PoisoningTask => {
  const { model, dataset } = trainableToy();
  return {
    ...subject,
    share: SHARE,
    target: subject.attack.trigger === undefined ? null : TARGET,
    training: {
      ...{ defence: learn, options: {}, model, dataset, heldOut: 100, threat: null },
      ...{ epochs: 4, batchSize: 30, patience: Infinity, seed: 0 },
    },
    test: dataset,
    ...more,
  };
};

const io = {
  ...{ signal: new AbortController().signal, now: () => 0, resume: null },
  ...{ save: async () => undefined, onEpoch: () => undefined, onUpdate: () => undefined },
};

const content = ({ data, shape }: Tensor) => `${shape}: ${data.join()}`;

const poisonedToy = (given: PoisoningTask): Promise<Dataset> => poisoned(given.training.dataset, given);

const contentOf = async (dataset: Dataset) => {
  const { x, y } = await dataset.batch(0, dataset.samples);
  return `${content(x)}; ${y.join()}`;
};

/** What every poisoning attack must do, on a model and data whose right answers are known. Each check throws a sentence when it fails. */
export const poisoningChecks: Readonly<Record<string, Check<PoisoningSubject>>> = {
  ...attackFacts,

  async 'gives as many samples back, in the box, each with a class'(subject) {
    await poisonedToy(task(subject));
  },

  async 'leaves what it is handed alone'(subject) {
    const { attack, options } = subject;
    const { model, dataset } = trainableToy();
    const { x, y } = await dataset.batch(0, 50);
    const before = `${content(x)}; ${y.join()}`;
    const random = [...y.keys()].map((i) => stream('handed', i));
    const facts = { input: model.input, options: options as never };
    await attack.poison({ ...facts, x, y, classes: model.classes, target: TARGET, random });
    await attack.trigger?.({ ...facts, x });
    ensure(
      `${content(x)}; ${y.join()}` === before,
      `Unexpected change of its input by ${attack.id}, expected new arrays only.`,
    );
  },

  async 'gives the same samples for the same seed'(subject) {
    const [one, other] = [await poisonedToy(task(subject)), await poisonedToy(task(subject))];
    ensure(
      (await contentOf(one)) === (await contentOf(other)),
      'Unexpected difference between two runs with seed 0, expected the same bytes. Draw from random[i].',
    );
  },

  async 'decides what the trained model answers'(subject) {
    const { id, trigger } = subject.attack;
    const outcome = async (share: number, target: number | null) => {
      const rows = await poison(task(subject, { share, target }), io);
      return trigger === undefined ? accuracyOf(rows) : triggeredOf(rows);
    };
    // What the trigger means to an honest model may be one of the classes already.
    const targets = trigger === undefined ? [null] : [0, 1];
    const changes: number[] = [];
    for (const target of targets) changes.push((await outcome(SHARE, target)) - (await outcome(0, target)));
    ensure(
      trigger === undefined ? changes[0]! < -0.3 : Math.max(...changes) > 0.3,
      `Unexpected change by ${changes.map((change) => change.toFixed(2)).join(' or ')} of ${trigger === undefined ? 'accuracy' : 'the share that the trigger turns into the target'} after ${id}, expected 0.3 at least.`,
    );
  },

  async 'puts its trigger on inputs in the box, where it has one'({ attack, options }) {
    if (attack.trigger === undefined) return;
    const { model, dataset } = trainableToy();
    const { x } = await dataset.batch(0, 50);
    const job: TriggerJob = { x, input: model.input, options };
    const marked = await attack.trigger(job as TriggerJob<never>);
    const [lo, hi] = model.input.bounds;
    ensure(
      String(marked.shape) === String(x.shape) && marked.data.every((value) => value >= lo && value <= hi),
      `Unexpected inputs of ${attack.id} with the trigger, expected shape [${x.shape}] in [${lo}, ${hi}].`,
    );
  },

  async 'sends weights of the same names and shapes, where it is a client'({ attack, options }) {
    if (attack.update === undefined) return;
    const { model } = trainableToy();
    const { weights: global } = await model.state();
    await model.initialise(1);
    const { weights: trained } = await model.state();
    const job: UpdateJob = { global, trained, clients: 4, options };
    const sent = await attack.update(job as UpdateJob<never>);
    ensure(
      Object.keys(trained).every((name) => String(sent[name]?.shape) === String(trained[name]!.shape)) &&
        Object.values(sent).every(({ data }) => data.every(Number.isFinite)),
      `Unexpected weights sent by ${attack.id}, expected finite ones of the names and shapes that were trained.`,
    );
  },
};

/**
 * Registers every check of `poisoningChecks` for an attack.
 *
 * @param settings.options options to test with; the defaults of the schema otherwise.
 * @param settings.skip checks that do not hold for this attack, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testPoisoning(
  attack: Poisoning,
  settings: {
    options?: Record<string, unknown>;
    skip?: Readonly<Record<string, string>>;
    runner?: Runner;
  } = {},
): void {
  const { options = {}, skip = {}, runner = globalRunner() } = settings;
  runner.describe(attack.id, () => {
    for (const [name, check] of Object.entries(poisoningChecks)) {
      if (skip[name] !== undefined) continue;
      runner.it(name, async () =>
        check({ attack, options: await parseOptions(attack.options, options, attack.id) }),
      );
    }
  });
}
