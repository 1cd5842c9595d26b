import {
  asPlugin,
  type Evaded,
  evade,
  type Evasion,
  type EvasionTask,
  maximise,
  optionFacts,
  parseOptions,
} from '@gauntlet/core';
import { ball, type BallNorm, row, rows, stream, take } from '@gauntlet/tensor';
import { ensure, globalRunner, type Runner } from './runner.js';
import { curvedToy, linearToy, type Toy } from './toys.js';

/** How a check is run: the attack, its options, and a norm that it declares. */
interface Subject {
  readonly attack: Evasion;
  readonly options: unknown;
  readonly norm: BallNorm;
}

const task = (subject: Subject, toy: Toy, more: Partial<EvasionTask> = {}): EvasionTask => ({
  ...subject,
  model: toy.model,
  x: toy.x,
  ids: [...toy.y.keys()],
  goal: { kind: 'untargeted', classes: toy.y, confidence: 0 },
  clean: toy.y,
  epsilon: typicalEpsilon(subject.norm),
  box: toy.box,
  restarts: 1,
  seed: 0,
  signal: new AbortController().signal,
  ...more,
});

/** The median distance of the linear toy's samples: half of them can be broken. */
function typicalEpsilon(norm: BallNorm): number {
  const toy = linearToy();
  const distances = Array.from(toy.y, (_, i) => toy.distance(i, norm)).sort((a, b) => a - b);
  return distances[distances.length >> 1]!;
}

const count = (reached: Uint8Array) => reached.reduce((sum, hit) => sum + hit, 0);
const same = (a: Float32Array, b: Float32Array) =>
  a.length === b.length && a.every((value, i) => value === b[i]);
const sameFor = (a: Evaded, i: number, b: Evaded, j: number) => same(row(a.points, i), row(b.points, j));

/** What every evasion attack must do, on toy models. Each check throws a sentence when it fails. */
export const attackChecks: Readonly<Record<string, (subject: Subject) => Promise<void>>> = {
  async 'says who it is'({ attack }) {
    asPlugin(attack, 'the attack under test');
    ensure(
      /^attack\/[a-z0-9-]+$/.test(attack.id),
      `Unexpected id ${attack.id}, expected attack/<name in lower case>.`,
    );
    ensure(
      attack.summary.endsWith('.'),
      `Unexpected summary of ${attack.id}, expected one sentence with a full stop.`,
    );
    ensure(
      attack.cites.length > 0,
      `Unexpected empty cites of ${attack.id}, expected the source of the algorithm.`,
    );
  },

  async 'describes its options and has a default for each'({ attack }) {
    await parseOptions(attack.options, {}, attack.id);
    for (const { name, description } of optionFacts(attack.options)) {
      ensure(
        description !== '',
        `Unexpected option ${name} without a description, expected .describe(...) in the schema.`,
      );
    }
  },

  async 'leaves its input alone'(subject) {
    const toy = curvedToy();
    const before = toy.x.data.slice();
    await evade(task(subject, toy));
    ensure(
      same(toy.x.data, before),
      `Unexpected change of the input by ${subject.attack.id}, expected new arrays only.`,
    );
  },

  async 'stays in ball and box, from saturated inputs too'(subject) {
    const toy = curvedToy();
    const x = { ...toy.x, data: toy.x.data.map((value, i) => (i % 2 ? Math.round(value) : value)) };
    for (const epsilon of [0.05, 3]) {
      const given = task(subject, { ...toy, x }, { epsilon });
      const points = await maximise(given);
      const around = ball({ ...given, centre: x });
      for (let i = 0; i < rows(x); i++) {
        ensure(
          around.contains(row(points, i), i),
          `Unexpected point of sample ${i} outside the ${subject.norm} ball of ${epsilon} or the box.`,
        );
      }
    }
  },

  async 'gives the same answer for the same seed'(subject) {
    const toy = curvedToy();
    const [a, b] = [await evade(task(subject, toy)), await evade(task(subject, toy))];
    ensure(
      same(a.points.data, b.points.data),
      `Unexpected difference between two runs with seed 0, expected the same bytes.`,
    );
  },

  async 'treats each sample by itself, whatever the batch'(subject) {
    const toy = curvedToy();
    const whole = await evade(task(subject, toy));
    const order = [...toy.y.keys()].reverse().filter((i) => i % 3 !== 0);
    const classes = Int32Array.from(order, (i) => toy.y[i]!);
    const part = await evade(task(subject, { ...toy, x: take(toy.x, order), y: classes }, { ids: order }));
    order.forEach((i, j) =>
      ensure(
        sameFor(whole, i, part, j),
        `Unexpected change of sample ${i} when its batch changes, expected each row by itself. Draw from random[i] and reduce per row.`,
      ),
    );
  },

  async 'gives the input back at epsilon 0'(subject) {
    const toy = curvedToy();
    // Here the engine answers by itself; when crafting, the attack runs.
    const { points, reached } = await evade(task(subject, toy, { epsilon: 0 }));
    ensure(
      same(points.data, toy.x.data) && count(reached) === 0,
      'Unexpected move at epsilon 0, expected the input.',
    );
    const moved = await maximise(task(subject, toy, { epsilon: 0 }));
    ensure(same(moved.data, toy.x.data), 'Unexpected move at epsilon 0 when crafting, expected the input.');
  },

  async 'breaks everything when the ball holds the whole box'(subject) {
    const toy = linearToy();
    const { reached } = await evade(task(subject, toy, { epsilon: 20 }));
    ensure(
      count(reached) === reached.length,
      `Unexpected ${count(reached)} of ${reached.length} broken without a limit, expected all.`,
    );
  },

  async 'moves samples that it does not break, when crafting'(subject) {
    const toy = curvedToy();
    const epsilon = 1e-3;
    const points = await maximise(task(subject, toy, { epsilon }));
    const still = [...toy.y.keys()].filter((i) => same(row(points, i), row(toy.x, i)));
    ensure(
      still.length === 0,
      `Unexpected ${still.length} samples left at the input when crafting, expected moved points.`,
    );
  },

  async 'does not care about a shift of all scores'(subject) {
    const broken = async (shift: number) => count((await evade(task(subject, linearToy({ shift })))).reached);
    const [plain, down, up] = [await broken(0), await broken(-100), await broken(100)];
    ensure(
      plain === down && plain === up,
      `Unexpected ${down}, ${plain}, ${up} broken with scores shifted by -100, 0, 100.`,
    );
  },

  async 'is not fooled by large scores'(subject) {
    const broken = async (scale: number) => count((await evade(task(subject, linearToy({ scale })))).reached);
    const [plain, large] = [await broken(1), await broken(1000)];
    ensure(
      large >= plain - 1,
      `Unexpected ${large} broken with scores times 1000, expected the ${plain} of the same model unscaled.`,
    );
  },

  async 'reaches targets, and leaves others alone'(subject) {
    const toy = curvedToy();
    const classes = toy.y.map((label) => (label + 1) % 4);
    const goal = { kind: 'targeted', classes, confidence: 0 } as const;
    const { reached, labels } = await evade(
      task(subject, toy, { goal, epsilon: 3 * typicalEpsilon(subject.norm) }),
    );
    ensure(count(reached) > 0, 'Unexpected failure on every target, expected some to be reached.');
    reached.forEach((hit, i) =>
      ensure(
        labels[i] === (hit ? classes[i] : toy.y[i]),
        `Unexpected label ${labels[i]} of sample ${i}, expected its target where reached and its own where not.`,
      ),
    );
  },

  async 'stops when it is told to'(subject) {
    const stop = new AbortController();
    stop.abort();
    const ended = await evade(task(subject, curvedToy(), { signal: stop.signal })).then(
      () => false,
      () => true,
    );
    ensure(
      ended,
      'Unexpected end of an aborted run, expected the abort to reject it. Do not catch errors of model calls.',
    );
  },

  async 'beats random noise of the same size'(subject) {
    const toy = linearToy();
    const given = task(subject, toy);
    const around = ball({ ...given, centre: toy.x });
    const noise = around.sample([...toy.y.keys()].map((i) => stream('noise', i)));
    const lucky = (await toy.model.labels(noise)).filter((label, i) => label !== toy.y[i]).length;
    const broken = count((await evade(given)).reached);
    ensure(
      broken > lucky + 0.2 * rows(toy.x),
      `Unexpected ${broken} of ${rows(toy.x)} broken, expected many more than the ${lucky} that one random draw breaks.`,
    );
  },

  async 'reaches the optimum of a linear model'(subject) {
    const toy = linearToy();
    const given = task(subject, toy);
    const { reached } = await evade(given);
    toy.y.forEach((_, i) => {
      const exact = toy.distance(i, subject.norm);
      if (Math.abs(exact / given.epsilon - 1) < 0.02) return;
      ensure(
        Boolean(reached[i]) === exact < given.epsilon,
        `Unexpected sample ${i} ${reached[i] ? 'broken' : 'held'} at ${given.epsilon}, expected the opposite: its boundary is ${exact} away.`,
      );
    });
  },
};

/**
 * Registers every check of `attackChecks` for every norm of an attack.
 *
 * @param settings.options options to test with; the defaults of the schema otherwise.
 * @param settings.skip checks that do not hold for this attack, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testAttack(
  attack: Evasion,
  settings: {
    options?: Record<string, unknown>;
    skip?: Readonly<Record<string, string>>;
    runner?: Runner;
  } = {},
): void {
  const { options = {}, skip = {}, runner = globalRunner() } = settings;
  for (const norm of attack.norms) {
    runner.describe(`${attack.id} in ${norm}`, () => {
      for (const [name, check] of Object.entries(attackChecks)) {
        if (skip[name] !== undefined) continue;
        runner.it(name, async () =>
          check({ attack, norm, options: await parseOptions(attack.options, options, attack.id) }),
        );
      }
    });
  }
}
