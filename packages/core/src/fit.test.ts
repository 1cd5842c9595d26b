import { datasetOf, imageToy } from '@gauntlet/testing';
import { like, row, rows } from '@gauntlet/tensor';
import {
  defend,
  defineDetector,
  definePreprocessor,
  fitThresholds,
  type Layer,
  type Schema,
  setApart,
  thresholdFor,
} from './index.js';

const options: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const facts = { summary: 'For tests.', cites: [], options } as const;

it('has the threshold that a share of clean samples exceeds at most', () => {
  const values = Float32Array.from({ length: 100 }, (_, i) => i / 100);
  for (const share of [0, 0.05, 0.5, 1]) {
    const threshold = thresholdFor(values, share);
    expect(values.filter((value) => value > threshold).length).toBeLessThanOrEqual(100 * share);
  }
  expect(values.filter((value) => value > thresholdFor(values, 0.05))).toHaveLength(5);
});

describe('a stack with two detectors', () => {
  const toy = imageToy();
  const detector = defineDetector({
    ...facts,
    id: 'detector/first-value',
    access: 'none',
    backward: 'none',
    suspicion: async ({ x }) => Float32Array.from({ length: rows(x) }, (_, i) => row(x, i)[0]!),
  });
  const noisy: Layer = {
    options: {},
    defence: definePreprocessor({
      ...facts,
      id: 'defence/noisy',
      backward: 'identity',
      random: true,
      run: async ({ x, random }) => {
        const by = random.map((own) => own.uniform());
        const size = x.data.length / rows(x);
        return like(
          x,
          x.data.map((value, i) => (value + by[Math.floor(i / size)]!) / 2),
        );
      },
    }),
  };
  const guard: Layer = { defence: detector, options: {}, threshold: 0 };
  const fitted = async (batchSize: number) =>
    fitThresholds([toy.model], [guard, noisy, guard], datasetOf(toy), {
      share: 0.25,
      seed: 3,
      batchSize,
    });

  it('has a threshold for each, fitted by what arrives there', async () => {
    const layers = await fitted(64);
    const [outer, , inner] = layers as (Layer & { threshold: number })[];
    const values = Float32Array.from(toy.y.keys(), (i) => row(toy.x, i)[0]!);
    expect(outer!.threshold).toBe(thresholdFor(values, 0.25));
    expect(inner!.threshold).not.toBe(outer!.threshold);
    const only = (threshold: number, place: number) =>
      layers.filter((layer, i) => i === 1 || i === place).map((layer) => ({ ...layer, threshold }) as Layer);
    const model = defend([toy.model], only(inner!.threshold, 2));
    const accepted = await model.draw!({ keys: ['others'], ids: [...toy.y.keys()] }).accepts!(toy.x);
    expect(accepted.filter((passed) => !passed).length).toBeGreaterThan(0);
    expect(accepted.filter((passed) => !passed).length).toBeLessThan(0.5 * toy.y.length);
  });

  it('has the same ones, however its samples are cut into batches', async () => {
    expect(await fitted(7)).toEqual(await fitted(64));
  });
});

describe('samples that are set apart', () => {
  const data = datasetOf(imageToy());
  it('are none of those that are attacked, which stay in order', async () => {
    const { attacked, apart } = await setApart(data, 10, 1);
    const { ids } = await attacked.batch(0, attacked.samples);
    const others = (await apart.batch(0, apart.samples)).ids;
    expect([attacked.samples, others.length]).toEqual([data.samples - 10, 10]);
    expect(new Set([...ids, ...others]).size).toBe(data.samples);
    expect(ids).toEqual([...ids].sort((a, b) => Number(a) - Number(b)));
    const again = await setApart(data, 10, 2);
    expect((await again.apart.batch(0, 10)).ids).not.toEqual(others);
  });

  it('leave some', async () => {
    await expect(setApart(data, data.samples, 1)).rejects.toThrow('samples held out at toy.npz');
  });
});
