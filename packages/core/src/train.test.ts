import { trainableToy } from '@gauntlet/testing';
import {
  type Checkpoint,
  defineAttack,
  defineTraining,
  type Epoch,
  type Loss,
  type Schema,
  type Stage,
  train,
  type Training,
  type TrainingBatch,
  type TrainingIo,
  type TrainingTask,
} from './index.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

/** Cross-entropy, to be made small. */
const learning = (y: Int32Array): Loss => ({
  term: {
    op: 'softplus',
    of: {
      op: 'sub',
      of: [
        { op: 'logSumExpOther', class: 'own' },
        { op: 'pick', class: 'own' },
      ],
    },
  },
  classes: { own: y },
  given: {},
});

/** One step against the model's margin. */
const stepper = defineAttack({
  id: 'attack/step',
  summary: 'For tests.',
  cites: [],
  access: 'gradients',
  norms: ['linf'],
  finds: 'within-budget',
  options: anything,
  async run({ model, x, ball, goal }) {
    return ball.step(x, (await model.gradient(x, learning(goal.classes))).gradient, 1);
  },
});

/** A random point of the ball. */
const noise = defineAttack({
  ...stepper,
  id: 'attack/noise',
  run: async ({ ball, random }) => ball.sample(random),
});

const plain = (): Stage => ({
  name: 'plain',
  fresh: true,
  lesson: async ({ x, y }) => ({ x, loss: learning(y) }),
});

const hard = (epsilon: number): Stage => ({
  name: 'hard',
  fresh: true,
  lesson: async ({ y, craft }) => ({ x: await craft(epsilon), loss: learning(y) }),
});

const defence = (...stages: readonly Stage[]): Training =>
  defineTraining({
    id: 'defence/test',
    summary: 'For tests.',
    cites: [],
    options: anything,
    crafts: null,
    norms: ['linf'],
    async run({ fit }) {
      for (const stage of stages) await fit(stage);
    },
  });

function setUp(stages: readonly Stage[], more: Partial<TrainingTask> = {}) {
  const toy = trainableToy();
  const threat = {
    norm: 'linf',
    epsilon: toy.epsilon,
    attack: stepper,
    crafting: {},
    measuring: {},
  } as const;
  const task: TrainingTask = {
    defence: defence(...stages),
    options: {},
    model: toy.model,
    dataset: toy.dataset,
    heldOut: 100,
    threat,
    epochs: 6,
    batchSize: 30,
    patience: Infinity,
    seed: 0,
    ...more,
  };
  return { toy, task, threat };
}

function listening(more: Partial<TrainingIo> = {}) {
  const epochs: Epoch[] = [];
  const saved: Checkpoint[] = [];
  const io: TrainingIo = {
    signal: new AbortController().signal,
    now: () => 0,
    resume: null,
    save: async (checkpoint) => void saved.push(structuredClone(checkpoint)),
    onEpoch: (epoch) => epochs.push(epoch),
    onUpdate: () => undefined,
    ...more,
  };
  return { io, epochs, saved };
}

const weightsOf = async ({ model }: TrainingTask) => (await model.state()).weights['w']!.data;

describe('train', () => {
  it('learns what is true of the toy: weak features mislead under attack, the strong one holds', async () => {
    const { task, toy } = setUp([plain()]);
    const { chosen } = await train(task, listening().io);
    expect(chosen.clean).toBeGreaterThan(0.98);
    expect(chosen.robust).toBe(0);
    const hardened = setUp([hard(toy.epsilon)]);
    const { chosen: robust } = await train(hardened.task, listening().io);
    expect(Math.abs(robust.clean - toy.robust)).toBeLessThan(0.06);
    expect(robust.robust).toBe(robust.clean);
  });

  it('tells every epoch, and leaves the weights of the best one in the model', async () => {
    const { task } = setUp([plain()]);
    const { io, epochs, saved } = listening();
    const { chosen } = await train(task, io);
    expect(epochs.map(({ stage, epoch }) => [stage, epoch])).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => ['plain', n]),
    );
    expect(chosen.clean).toBe(Math.max(...epochs.map(({ clean }) => clean)));
    expect(chosen.epoch).toBe(epochs.find(({ clean }) => clean === chosen.clean)!.epoch);
    expect(await weightsOf(task)).toEqual(saved[chosen.epoch - 1]!.now.weights['w']!.data);
  });

  it('chooses by the worst of clean and robust accuracy', async () => {
    const scripted = [
      { clean: 1, robust: 0.2 },
      { clean: 0.8, robust: 0.7 },
      { clean: 0.9, robust: 0.7 },
      { clean: 0.75, robust: 0.75 },
      { clean: 1, robust: 0.7 },
    ];
    const epochs = scripted.map((accuracy, i) => ({ ...accuracy, stage: 'plain', epoch: i + 1, loss: 0 }));
    const { task } = setUp([plain()], { epochs: 5 });
    const state = await task.model.state();
    const resume = {
      finished: {},
      epochs,
      stage: 'plain',
      updates: 0,
      loss: 0,
      now: state,
      best: state.weights,
    };
    expect((await train(task, listening({ resume }).io)).chosen.epoch).toBe(4);
  });

  it('stops a stage that has not got better for as long as its patience', async () => {
    const { task } = setUp([plain(), { ...plain(), name: 'again' }], { patience: 2, epochs: 50 });
    const { io, epochs } = listening();
    await train(task, io);
    for (const stage of ['plain', 'again']) {
      const own = epochs.filter((epoch) => epoch.stage === stage);
      const peak = own.findIndex(({ clean }) => clean === Math.max(...own.map((each) => each.clean)));
      expect(own.length - peak - 1).toBe(2);
    }
  });

  it('shows each sample to learn from once an epoch, in another order, and never one held out', async () => {
    const seen: (readonly [number, number | string])[] = [];
    const watching: Stage = {
      ...plain(),
      async lesson({ x, y, ids, done }) {
        seen.push(...ids.map((id) => [Math.floor(done * 2), id] as const));
        return { x, loss: learning(y) };
      },
    };
    await train(setUp([watching], { epochs: 2 }).task, listening().io);
    const [first, second] = [0, 1].map((epoch) => seen.filter(([e]) => e === epoch).map(([, id]) => id));
    expect(new Set(first).size).toBe(300);
    expect([...first!].sort()).toEqual([...second!].sort());
    expect(first).not.toEqual(second);
  });

  it('draws fresh random numbers for a sample in every epoch', async () => {
    const starts = new Map<number | string, string[]>();
    const watching: Stage = {
      ...plain(),
      async lesson({ ids, y, craft }: TrainingBatch) {
        const x = await craft(0.1);
        ids.forEach((id, i) => {
          const point = x.data.slice(i * 21, (i + 1) * 21).join();
          starts.set(id, [...(starts.get(id) ?? []), point]);
        });
        return { x, loss: learning(y) };
      },
    };
    const { task, threat } = setUp([watching], { epochs: 3 });
    await train({ ...task, threat: { ...threat, attack: noise } }, listening().io);
    for (const points of starts.values()) expect(new Set(points).size).toBe(3);
  });

  it('gives the same weights for the same seed, others for another', async () => {
    const trained = async (seed: number) => {
      const { task, toy } = setUp([hard(0.1)], { seed });
      await train({ ...task, dataset: toy.dataset }, listening().io);
      return weightsOf(task);
    };
    expect(await trained(1)).toEqual(await trained(1));
    expect(await trained(1)).not.toEqual(await trained(2));
  });

  // Once in the middle of an epoch's updates, once while accuracy is measured, once between two stages.
  it.each([
    [4, 4],
    [13, 10],
    [22, 8],
    [45, 10],
  ])('goes on after an abort at call %d of the model as if nothing had happened', async (call, updates) => {
    const stages = () => [hard(0.1), { ...plain(), fresh: false }];
    const whole = setUp(stages(), { epochs: 3 });
    const expected = await train(whole.task, listening().io);

    const { task } = setUp(stages(), { epochs: 3 });
    const stop = new AbortController();
    let calls = 0;
    const counting = {
      ...task.model,
      gradient: (...args: Parameters<typeof task.model.gradient>) => {
        if (++calls === call) stop.abort();
        return task.model.gradient(...args);
      },
    };
    const first = listening({ signal: stop.signal });
    await expect(train({ ...task, model: counting }, first.io)).rejects.toThrow(/abort/);
    expect(first.saved.at(-1)!.updates).toBe(updates);
    const resumed = setUp(stages(), { epochs: 3 });
    const second = listening({ resume: first.saved.at(-1)! });
    expect(await train(resumed.task, second.io)).toEqual(expected);
    expect([...first.epochs, ...second.epochs]).toEqual(expected.epochs);
    expect(await weightsOf(resumed.task)).toEqual(await weightsOf(whole.task));
  });

  it('ends with the abort, even if the defence swallows it', async () => {
    const stop = new AbortController();
    const deaf: Training = {
      ...defence(),
      run: async ({ fit }) => {
        await fit(plain()).catch(() => undefined);
      },
    };
    const { io } = listening({ signal: stop.signal, onEpoch: () => stop.abort() });
    await expect(train(setUp([], { defence: deaf }).task, io)).rejects.toThrow(/abort/);
  });

  it('begins each stage with an optimiser without memory', async () => {
    const { task } = setUp([plain()], { epochs: 1 });
    const moved: boolean[] = [];
    const second: Stage = {
      ...plain(),
      name: 'second',
      fresh: false,
      async lesson({ x, y }) {
        const { memory } = await task.model.state();
        moved.push(memory!['w']!.data.some((value) => value !== 0));
        return { x, loss: learning(y) };
      },
    };
    await train({ ...task, defence: defence(plain(), second) }, listening().io);
    expect(moved).toEqual([false, ...Array<boolean>(9).fill(true)]);
  });

  it('saves within an epoch when a minute has gone by', async () => {
    let minutes = 0;
    const { io, saved } = listening({ now: () => 30 * minutes++ });
    await train(setUp([plain()], { epochs: 1 }).task, io);
    expect(saved.map(({ updates }) => updates)).toEqual([2, 4, 6, 8, 10, 0]);
  });

  it.each([0, 400, 401])('refuses to hold out %d of 400 samples', async (heldOut) => {
    await expect(train(setUp([plain()], { heldOut }).task, listening().io)).rejects.toThrow(
      `Unexpected ${heldOut} of 400 samples held out at trainable toy`,
    );
  });

  it('stops at a loss that is no number', async () => {
    const broken: Stage = {
      ...plain(),
      lesson: async ({ x, y }) => ({ x: { ...x, data: x.data.map(() => NaN) }, loss: learning(y) }),
    };
    await expect(train(setUp([broken]).task, listening().io)).rejects.toThrow(/loss of NaN in epoch 1/);
  });

  it.each<[string, Partial<TrainingTask>, RegExp]>([
    ['crafts without an attack', { defence: defence(hard(0.1)), threat: null }, /call of craft/],
    ['trains nothing', { defence: defence() }, /trains nothing/],
    ['names two stages alike', { defence: defence(plain(), plain()), epochs: 1 }, /second stage "plain"/],
  ])('tells the author of a defence that %s', async (_, more, message) => {
    await expect(train(setUp([], more).task, listening().io)).rejects.toThrow(message);
  });
});
