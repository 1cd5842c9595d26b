import { evade, type EvasionJob, parseOptions } from '@gauntlet/core';
import { ball, rows, stream, take } from '@gauntlet/tensor';
import { type AttackSubject, count, same, sameFor, task, typicalEpsilon } from './attack-subject.js';
import { attackFacts } from './facts.js';
import { type Check, ensure } from './runner.js';
import { curvedToy, linearToy } from './toys.js';

/** What the engine itself asks about a sample in one run: to find a start, and the final check. */
const APART = 29;

/** What every evasion attack must do, on toy models. */
export const commonChecks: Readonly<Record<string, Check<AttackSubject>>> = {
  ...attackFacts,

  async 'asks no more than its cost says'(subject) {
    const options = await parseOptions(subject.attack.options, subject.options, subject.attack.id);
    const cost = subject.attack.cost?.(options as never);
    if (cost === undefined) return;
    const toy = curvedToy();
    // So small that hardly anything is found, and nothing ends early.
    const { gradients, queries } = await evade(task(subject, toy, { epsilon: 1e-3 }));
    const [most, asked] = [Math.max(...gradients), Math.max(...queries)];
    ensure(
      most <= cost.gradients && asked <= cost.queries + APART,
      `Unexpected ${most} gradients and ${asked} queries, expected at most ${cost.gradients} and ${cost.queries} and ${APART} of the engine. Count what run asks in the worst case.`,
    );
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

  async 'breaks everything when the ball holds the whole box'(subject) {
    const toy = linearToy();
    const { reached } = await evade(task(subject, toy, { epsilon: 20 }));
    ensure(
      count(reached) === reached.length,
      `Unexpected ${count(reached)} of ${reached.length} broken without a limit, expected all. Step towards the goal.`,
    );
  },

  async 'does not care about a shift of all scores'(subject) {
    const broken = async (shift: number) => count((await evade(task(subject, linearToy({ shift })))).reached);
    const [plain, down, up] = [await broken(0), await broken(-100), await broken(100)];
    ensure(
      plain === down && plain === up,
      `Unexpected ${down}, ${plain}, ${up} broken with scores shifted by -100, 0, 100, expected as many each time. Climb a difference of scores.`,
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
    let calls = 0;
    let after = 0;
    // Counted before the engine refuses them: an attack that catches errors would go on calling.
    const count = () => {
      if (stop.signal.aborted) after++;
      if (++calls === 2) stop.abort();
    };
    const attack = {
      ...subject.attack,
      run: (job: EvasionJob<never, never>) =>
        subject.attack.run({ ...job, model: counted(job.model, count) } as EvasionJob<never, never>),
    };
    await evade(task({ ...subject, attack }, curvedToy(), { signal: stop.signal })).catch(() => undefined);
    ensure(
      after <= 1,
      `Unexpected ${after} model calls after an abort, expected the first to end the run. Do not catch errors of model calls.`,
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

/** The same model, with every call told. */
const counted = <M extends object>(model: M, tell: () => void): M =>
  Object.fromEntries(
    Object.entries(model).map(([name, value]) => [
      name,
      typeof value === 'function'
        ? (...given: unknown[]) => (tell(), value(...given) as unknown)
        : (value as unknown),
    ]),
  ) as M;
