import patch from '@gauntlet/attack-patch';
import uap from '@gauntlet/attack-uap';
import { fitArtifact, parseOptions, tryArtifact, type Universal } from '@gauntlet/core';
import { type BallNorm, like, take } from '@gauntlet/tensor';
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

interface Trial {
  readonly norm: BallNorm;
  readonly epsilon: number;
  readonly options: Record<string, unknown>;
}

/** Fits on the digits of the recorded fit, and tries on those of the recorded test: robust accuracy, and the share of draws that broke a digit. */
async function tried(attack: Universal, { norm, epsilon, options }: Trial) {
  const { model, x, y, clean, box } = subject;
  const goal = (places: readonly number[]) =>
    ({ kind: 'untargeted', classes: Int32Array.from(places, (i) => y[i]!), confidence: 0 }) as const;
  const common = {
    ...{ attack, options: await parseOptions(attack.options, options, attack.id), model },
    ...{ norm, epsilon, box, seed: 0, signal: new AbortController().signal },
  };
  const own = range(recorded.fit);
  const at = async (places: readonly number[]) => {
    const some = places.map((place) => own[place]!);
    return { x: take(x, some), goal: goal(some) };
  };
  const { artifact } = await fitArtifact({ ...common, data: { samples: own.length, at } });
  const all = range(recorded.test);
  const right = all.filter((i) => clean[i] === y[i]);
  const labels = Int32Array.from(right, (i) => clean[i]!);
  const found = await tryArtifact({
    ...common,
    artifact,
    x: take(x, right),
    ids: right,
    goal: goal(right),
    clean: labels,
  });
  const sum = (counts: ArrayLike<number>) => Array.from(counts).reduce((total, count) => total + count, 0);
  return {
    robust: (right.length - sum(found.reached)) / all.length,
    share: sum(found.votes.reached) / sum(found.votes.draws),
  };
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
  const trial = { norm: row.norm, epsilon: row.eps, options: { epochs: 4 } };
  const { robust } = await tried(uap, trial);
  expect(robust).toBeLessThan(row.robust_accuracy - 0.2);
  expect((await tried(signs, trial)).robust).toBeGreaterThan(robust + 0.2);
});

/** What fitting starts from. */
const untouched: Universal = {
  ...patch,
  fit: (job) => patch.fit({ ...job, options: { ...(job.options as object), epochs: 0 } } as typeof job),
};

it.each(['square', 'circle'])(
  'a %s patch on a tenth of the image misleads twice as often as random texels',
  async (shape) => {
    const trial = { norm: 'l0', epsilon: 78, options: { shape, epochs: 3 } } as const;
    const [ours, noise] = [await tried(patch, trial), await tried(untouched, trial)];
    expect(ours.share).toBeGreaterThan(2 * noise.share);
    expect(ours.robust).toBeLessThan(noise.robust - 0.1);
  },
);
