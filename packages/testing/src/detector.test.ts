import { defineDetector, type Detector, type DetectorJob, type Schema } from '@gauntlet/core';
import { like, row, rows, stream, type Tensor } from '@gauntlet/tensor';
import { detectorChecks } from './detector.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

/** How far the scores move when every value goes to the nearer end of the box: nothing is wrong with it. */
const sound = defineDetector({
  id: 'detector/test',
  summary: 'For tests.',
  cites: ['here'],
  access: 'scores',
  backward: 'none',
  options: anything,
  async suspicion({ model, x }) {
    const [lo, hi] = model.input.bounds;
    const ends = like(
      x,
      x.data.map((value) => (value > (lo + hi) / 2 ? hi : lo)),
    );
    const [seen, squeezed] = [await model.scores(x), await model.scores(ends)];
    return perPoint(seen, (own, i) =>
      own.reduce(
        (sum, score, k) => sum + Math.abs(score - row(squeezed, i)[k]! - mean(own) + mean(row(squeezed, i))),
        0,
      ),
    );
  },
});

const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
const perPoint = (t: Tensor, f: (own: Float32Array, i: number) => number) =>
  Float32Array.from({ length: rows(t) }, (_, i) => f(row(t, i), i));

type Job = DetectorJob<never, never>;
const after = (change: (found: Float32Array, job: Job) => Float32Array): Detector => ({
  ...sound,
  suspicion: async (job: Job) => change(await sound.suspicion(job), job),
});

/** One option that nobody explains. */
const unexplained: Schema = {
  '~standard': {
    ...anything['~standard'],
    jsonSchema: { input: () => ({ properties: { rate: { type: 'number', default: 1 } } }) },
  },
};

const BROKEN: Record<keyof typeof detectorChecks, Detector> = {
  'says who it is': { ...sound, cites: [] },
  'describes its options and has a default for each': { ...sound, options: unexplained },
  'gives a number for each point': after((found) => found.slice(1)),
  'leaves its input alone': after((found, { x }: { x: Tensor }) => (x.data.fill(0.5), found)),
  'suspects a point by itself, whatever the batch, and the same each time': after((found) =>
    found.map((value) => value / Math.max(...found)),
  ),
  'asks for no more than it declares': { ...sound, access: 'labels' },
  'works in the units of the box': after((found, { x }: { x: Tensor }) =>
    found.map((value, i) => value + Math.max(...row(x, i))),
  ),
  'suspects attacked points more than clean ones': after((found) => {
    const random = stream('suspicion');
    return found.map(() => random.uniform());
  }),
};

describe.each(Object.entries(detectorChecks))('the check "%s"', (name, check) => {
  it('lets a sound detector pass', async () => {
    await check({ defence: sound, options: {} });
  });

  it('catches a broken one', async () => {
    await expect(check({ defence: BROKEN[name]!, options: {} })).rejects.toThrow(/^Unexpected /);
  });
});
