import {
  type Checkpoint,
  defineAttack,
  parseOptions,
  train,
  type Training,
  type TrainingIo,
  type TrainingTask,
} from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { ensureFacts, ensureOptions } from './facts.js';
import { type Check, ensure, register, type Registration } from './runner.js';
import { trainableToy, type TrainableToy } from './trainable.js';

/** How a check is run: the defence, and its options, with which it shall start from fresh weights. */
export interface TrainingSubject {
  readonly defence: Training;
  readonly options: unknown;
}

const anything = {
  '~standard': { version: 1, vendor: 'gauntlet', validate: (value: unknown) => ({ value }) },
} as const;

/** One step to the edge of the ball: against a linear model, the strongest attack there is. */
const step = defineAttack({
  id: 'attack/step',
  summary: 'One gradient step to the edge of the ball.',
  cites: [],
  access: 'gradients',
  norms: ['linf', 'l2', 'l1'],
  finds: 'within-budget',
  options: anything,
  run: async ({ model, x, goal, ball }) => ball.step(x, (await model.gradient(x, logOdds(goal))).gradient, 1),
});

const task = (
  { defence, options }: TrainingSubject,
  toy: TrainableToy,
  more: Partial<TrainingTask> = {},
): TrainingTask => ({
  defence,
  options,
  model: toy.model,
  dataset: toy.dataset,
  heldOut: 100,
  threat:
    defence.crafts === null
      ? null
      : { norm: 'linf', epsilon: toy.epsilon, attack: step, crafting: {}, measuring: {} },
  epochs: 8,
  batchSize: 30,
  patience: Infinity,
  seed: 0,
  ...more,
});

const io = (more: Partial<TrainingIo> = {}): TrainingIo => ({
  signal: new AbortController().signal,
  now: () => 0,
  resume: null,
  save: async () => undefined,
  onEpoch: () => undefined,
  onUpdate: () => undefined,
  ...more,
});

const weightsOf = async ({ model }: TrainableToy) => {
  const { weights } = await model.state();
  return JSON.stringify(Object.entries(weights).map(([name, { data }]) => [name, [...data]]));
};

/** All that comes of a short training: losses and accuracies of every epoch, and the weights. */
async function outcomeOf(subject: TrainingSubject, resume: Checkpoint | null = null): Promise<string> {
  const toy = trainableToy();
  const trained = await train(task(subject, toy, { epochs: 2 }), io({ resume }));
  return JSON.stringify(trained) + (await weightsOf(toy));
}

/** What every training defence must do, on a model whose right answers are known. Each check throws a sentence when it fails. */
export const trainingChecks: Readonly<Record<string, Check<TrainingSubject>>> = {
  async 'says who it is'({ defence }) {
    ensureFacts(defence, 'defence');
    const { id, crafts, norms } = defence;
    ensure(
      norms.length > 0 === (crafts !== null),
      `Unexpected norms [${norms.join(', ')}] of ${id}, expected those that it hardens in, and none where it crafts nothing.`,
    );
  },

  async 'describes its options and has a default for each'({ defence }) {
    await ensureOptions(defence);
  },

  async learns(subject) {
    // One training may be lucky: half of all directions tell the classes apart.
    for (const seed of [0, 1, 2, 3]) {
      const { chosen } = await train(task(subject, trainableToy(), { seed, epochs: 4 }), io());
      ensure(
        chosen.clean > 0.85,
        `Unexpected accuracy of ${chosen.clean} on samples held out, expected 0.85 and more of two classes that are told apart by one feature.`,
      );
    }
  },

  async 'hardens, where it crafts'(subject) {
    if (subject.defence.crafts === null) return;
    const toy = trainableToy();
    const { chosen } = await train(task(subject, toy), io());
    ensure(
      chosen.robust! > toy.robust - 0.15,
      `Unexpected robust accuracy of ${chosen.robust}, expected about ${toy.robust}: the share of samples whose strong feature tells their class.`,
    );
  },

  async 'learns from points in ball and box, in the units of the samples'(subject) {
    const toy = trainableToy();
    const [lo, hi] = toy.model.input.bounds;
    const model: typeof toy.model = {
      ...toy.model,
      update: (points, loss) => {
        const outside = points.data.find((value) => !(value >= lo && value <= hi));
        ensure(
          outside === undefined,
          `Unexpected ${outside} in what ${subject.defence.id} learns from, expected values in [${lo}, ${hi}].`,
        );
        return toy.model.update(points, loss);
      },
    };
    await train(task(subject, { ...toy, model }, { epochs: 2 }), io());
  },

  async 'changes weights in its stages only'(subject) {
    const toy = trainableToy();
    let last: Checkpoint | undefined;
    const save = async (checkpoint: Checkpoint) => void (last = checkpoint);
    await train(task(subject, toy, { epochs: 2 }), io({ save }));
    const chosen = JSON.stringify(Object.entries(last!.best!).map(([name, { data }]) => [name, [...data]]));
    ensure(
      (await weightsOf(toy)) === chosen,
      `Unexpected weights after ${subject.defence.id}, expected those of the epoch that was chosen. Change them by fit alone.`,
    );
  },

  async 'gives the same model for the same seed'(subject) {
    ensure(
      (await outcomeOf(subject)) === (await outcomeOf(subject)),
      `Unexpected difference between two trainings with seed 0, expected the same losses and weights.`,
    );
  },

  async 'goes on after an interruption as if there had been none'(subject) {
    const whole = await outcomeOf(subject);
    // In the middle of the first stage, and of the second where there is one.
    for (const moment of [13, 33]) {
      const stop = new AbortController();
      let [saved, updates] = [null as Checkpoint | null, 0];
      const first = io({
        signal: stop.signal,
        save: async (checkpoint) => void (saved = checkpoint),
        onUpdate: () => void (++updates === moment && stop.abort()),
      });
      await train(task(subject, trainableToy(), { epochs: 2 }), first).catch(() => undefined);
      ensure(
        (await outcomeOf(subject, saved)) === whole,
        `Unexpected outcome of ${subject.defence.id} after an interruption, expected that of an unbroken run. Let a lesson depend on its batch and the model alone.`,
      );
    }
  },
};

/**
 * Registers every check of `trainingChecks` for a defence.
 *
 * @param settings.options options to test with: the defence must start from fresh weights; the defaults of the schema otherwise.
 * @param settings.skip checks that do not hold for this defence, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testTraining(
  defence: Training,
  settings: Registration & { options?: Record<string, unknown> } = {},
): void {
  const { options = {} } = settings;
  register(defence.id, trainingChecks, settings, async () => ({
    defence,
    options: await parseOptions(defence.options, options, defence.id),
  }));
}
