import uap from '@gauntlet/attack-uap';
import { fitArtifact, parseOptions, tryArtifact, type Universal } from '@gauntlet/core';
import { like, take } from '@gauntlet/tensor';
import { open, record, type Subject } from './subject.js';

interface Recorded {
  readonly fit: readonly [number, number];
  readonly test: readonly [number, number];
  readonly rows: readonly { readonly norm: 'linf'; readonly eps: number; readonly robust_accuracy: number }[];
}

const recorded = record<Recorded>('fixtures/peers/universal.json');
const range = ([from, to]: readonly [number, number]) =>
  Array.from({ length: to - from }, (_, i) => from + i);

let subject: Subject;
beforeAll(
  async () => void (subject = await open('examples/digits/digits.onnx', 'fixtures/digits/test500.npz')),
);
afterAll(() => subject.model.close());

/** Robust accuracy on the digits of the recorded test, under what is fitted on those of the recorded fit. */
async function robust(attack: Universal, { norm, eps: epsilon }: Recorded['rows'][number]): Promise<number> {
  const { model, x, y, clean, box } = subject;
  const goal = (places: readonly number[]) =>
    ({ kind: 'untargeted', classes: Int32Array.from(places, (i) => y[i]!), confidence: 0 }) as const;
  const common = {
    ...{ attack, options: await parseOptions(attack.options, { epochs: 4 }, attack.id), model },
    ...{ norm, epsilon, box, seed: 0, signal: new AbortController().signal },
  };
  const own = range(recorded.fit);
  const at = async (places: readonly number[]) => {
    const some = places.map((place) => own[place]!);
    return { x: take(x, some), goal: goal(some) };
  };
  const { artifact } = await fitArtifact({ ...common, data: { samples: own.length, at } });
  const all = range(recorded.test);
  const tried = all.filter((i) => clean[i] === y[i]);
  const labels = Int32Array.from(tried, (i) => clean[i]!);
  const { reached } = await tryArtifact({
    ...common,
    artifact,
    x: take(x, tried),
    ids: tried,
    goal: goal(tried),
    clean: labels,
  });
  return reached.reduce((held, hit) => held + 1 - hit, 0) / all.length;
}

/** The corner of the ball that random signs point to: as large as anything may be. */
const signs: Universal = {
  ...uap,
  fit: async ({ ball, random }) => {
    const draws = like(
      ball.centre,
      ball.centre.data.map(() => random.uniform() - 0.5),
    );
    return { noise: ball.step(ball.centre, draws, 1) };
  },
};

it.each(recorded.rows)('UAP is stronger than that of ART, and than random signs, at $eps', async (row) => {
  const [ours, theirs] = [await robust(uap, row), row.robust_accuracy];
  expect(ours).toBeLessThan(theirs - 0.2);
  expect(await robust(signs, row)).toBeGreaterThan(ours + 0.2);
});
