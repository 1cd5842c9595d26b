import { within } from '@gauntlet/tensor';
import {
  defineAttack,
  evadeIn,
  type EvasionJob,
  type Finds,
  type Model,
  type Schema,
  type Space,
  type SpaceTask,
} from './index.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

/** Words of one length; distance counts the letters that differ. */
type Letters = Space<readonly string[]>;

const letters = (centre: readonly string[], epsilon: number): Letters => {
  const distance = (point: string, sample: number) =>
    [...point].filter((letter, i) => letter !== centre[sample]![i]).length;
  const contains = (point: string, sample: number) =>
    point.length === centre[sample]!.length && within(distance(point, sample), epsilon);
  return { centre, norm: 'letters', epsilon, contains, distance };
};

/** Class 1 from three letters b on. `calls` records what it was asked. */
function recorded() {
  const calls: (readonly string[])[] = [];
  const model: Model<'labels', readonly string[]> = {
    ...{ name: 'letters', input: null, classes: 2, access: 'labels' },
    async labels(points) {
      calls.push(points);
      return Int32Array.from(points, (point) => Number([...point].filter((one) => one === 'b').length >= 3));
    },
  };
  return { model, calls };
}

const x = ['aaaa', 'abba', 'abaa'];

const task = (
  run: (job: EvasionJob<'labels', unknown, Letters>) => Promise<readonly string[]>,
  finds: Finds,
  more: Partial<SpaceTask<Letters>> = {},
): SpaceTask<Letters> => ({
  attack: defineAttack({
    ...{ id: 'attack/letters', summary: 'For tests.', cites: [], access: 'labels', norms: ['letters'] },
    ...{ finds, options: anything, run },
  }),
  options: {},
  model: recorded().model,
  x,
  ids: [0, 1, 2],
  goal: { kind: 'untargeted', classes: Int32Array.of(0, 0, 0), confidence: 0 },
  clean: Int32Array.of(0, 0, 0),
  epsilon: 2,
  space: (epsilon) => letters(x, epsilon),
  restarts: 1,
  seed: 0,
  signal: new AbortController().signal,
  ...more,
});

/** One more b from the left in every step. */
const spell = async ({ model, x: words }: EvasionJob<'labels', unknown, Letters>) => {
  let at = words;
  for (let step = 0; step < 4; step++) {
    at = at.map((word) => word.replace('a', 'b'));
    await model.labels(at);
  }
  return at;
};

it('runs an attack on texts, within a budget: a hit ends its sample, what lies outside is none', async () => {
  const { model, calls } = recorded();
  const found = await evadeIn(task(spell, 'within-budget', { model }));
  expect(found.points).toEqual(['aaaa', 'bbba', 'bbba']);
  expect([...found.reached]).toEqual([0, 1, 1]);
  expect([...found.distance]).toEqual([Infinity, 1, 2]);
  expect(calls.map(({ length }) => length)).toEqual([3, 2, 1, 1, 1]);
  expect([...found.queries]).toEqual([5, 1, 2]);
});

it('keeps the nearest point of an attack that finds the smallest, and lets those go that are too far', async () => {
  const backwards = (job: EvasionJob<'labels', unknown, Letters>) =>
    job.model
      .labels(['bbbb', 'bbbb', 'bbbb'])
      .then(() => spell(job))
      .then(() => ['bbbb', 'bbbb', 'bbbb']);
  const { points, distance, labels } = await evadeIn(task(backwards, 'smallest'));
  expect(points).toEqual(['aaaa', 'bbba', 'bbba']);
  expect([...distance]).toEqual([3, 1, 2]);
  expect([...labels]).toEqual([0, 1, 1]);
});

it('starts from clean samples of another answer, nearest first, where nothing can be drawn', async () => {
  const pool = async () => ({ x: ['bbbb', 'abbb', 'aaaa'], labels: Int32Array.of(1, 1, 0) });
  const { model, calls } = recorded();
  const started = task((job) => job.starts(), 'smallest', { pool, model, epsilon: Infinity });
  expect((await evadeIn(started)).points).toEqual(['abbb', 'abbb', 'abbb']);
  expect(calls[0]).toEqual(['abbb', 'abbb', 'abbb']);
});

it('refuses another number of points', async () => {
  await expect(evadeIn(task(async () => ['a'], 'within-budget'))).rejects.toThrow('one point per sample');
});
