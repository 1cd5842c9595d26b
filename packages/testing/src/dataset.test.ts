import {
  type Batch,
  type Dataset,
  defineDataset,
  type DatasetSource,
  type Schema,
  unexpected,
} from '@gauntlet/core';
import { like, tensor } from '@gauntlet/tensor';
import { datasetChecks } from './dataset.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

const SHAPE = [2, 2, 3] as const;
const SIZE = 12;
const numbers = (last: number) =>
  Array.from({ length: 5 }, (_, i) =>
    Array.from({ length: SIZE }, (_, j) => (i === 4 && j === 0 ? last : 20 * i + j)),
  );
const HELD: Record<string, { x: number[][]; y: number[] }> = {
  'a.toy': { x: numbers(7), y: [3, 1, 4, 1, 5] },
  'b.toy': { x: numbers(8), y: [3, 1, 4, 1, 5] },
};

type Opened = Parameters<DatasetSource['open']>[1];

/** Data sets that are held in memory: nothing is wrong with it. */
const sound = defineDataset({
  id: 'dataset/test',
  summary: 'For tests.',
  options: anything,
  opens: (path) => path.endsWith('.toy'),
  async open(path, { bounds, shape = SHAPE }: Opened) {
    const held = HELD[path];
    if (held === undefined)
      throw unexpected({ found: 'no file', at: path, expected: 'one', remedy: 'Name it.' });
    const scale = bounds[1] === 255 ? 1 : 255;
    const turned = String(shape) !== String(SHAPE);
    const at = (own: number[], n: number) => own[turned ? (n % 2) * 6 + Math.floor(n / 2) : n]! / scale;
    return {
      name: path,
      fingerprint: JSON.stringify(held),
      samples: held.y.length,
      shape,
      async batch(from, to) {
        const data = Float32Array.from({ length: (to - from) * SIZE }, (_, n) =>
          at(held.x[from + Math.floor(n / SIZE)]!, n % SIZE),
        );
        return {
          ids: Array.from({ length: to - from }, (_, i) => from + i),
          x: tensor(data, [to - from, ...shape]),
          y: Int32Array.from(held.y.slice(from, to)),
        };
      },
    };
  },
});

/** One option that nobody explains. */
const unexplained: Schema = {
  '~standard': {
    ...anything['~standard'],
    jsonSchema: { input: () => ({ properties: { rate: { type: 'number', default: 1 } } }) },
  },
};

const opening = (change: (dataset: Dataset, settings: Opened) => Dataset): DatasetSource => ({
  ...sound,
  open: async (path, settings) => change(await sound.open(path, settings), settings),
});
const giving = (change: (batch: Batch, from: number) => Batch) =>
  opening((dataset) => ({
    ...dataset,
    batch: async (from, to) => change(await dataset.batch(from, to), from),
  }));
let opened = 0;

const BROKEN: Record<keyof typeof datasetChecks, DatasetSource> = {
  'says who it is': { ...sound, id: 'Test' },
  'describes its options and has a default for each': { ...sound, options: unexplained },
  'knows its own paths, and leaves others': { ...sound, opens: () => true },
  'gives what the files hold': giving((batch) => ({ ...batch, y: batch.y.map((label) => label - 1) })),
  'gives the same samples, however they are cut into batches': opening((dataset) => ({
    ...dataset,
    batch: (from, to) => dataset.batch(0, to - from),
  })),
  'serves calls that overlap': opening((dataset) => {
    let at = 0;
    return {
      ...dataset,
      batch: async (from, to) => {
        at = from;
        await Promise.resolve();
        return dataset.batch(at, at + to - from);
      },
    };
  }),
  'hands out numbers that callers may change': opening((dataset) => {
    const known = new Map<string, Promise<Batch>>();
    return {
      ...dataset,
      batch: (from, to) => {
        const key = `${from} ${to}`;
        if (!known.has(key)) known.set(key, dataset.batch(from, to));
        return known.get(key)!;
      },
    };
  }),
  'has ids that stay and differ, and a fingerprint of its content': opening((dataset) => ({
    ...dataset,
    fingerprint: String(opened++),
  })),
  'gives numbers in the bounds: 8-bit ones are divided by 255 where these are not 0 to 255': {
    ...sound,
    open: (path, settings) => sound.open(path, { ...settings, bounds: [0, 255] }),
  },
  'lays samples out as the model takes them': {
    ...sound,
    open: async (path, settings) => {
      const { shape = SHAPE } = settings;
      const dataset = await sound.open(path, { ...settings, shape: SHAPE });
      const batch = async (from: number, to: number) => {
        const given = await dataset.batch(from, to);
        return { ...given, x: tensor(like(given.x, given.x.data).data, [to - from, ...shape]) };
      };
      return { ...dataset, shape, batch };
    },
  },
  'refuses damaged data in a sentence': {
    ...sound,
    open: async (path, settings) => {
      if (HELD[path] === undefined) throw new TypeError('Cannot read properties of undefined');
      return sound.open(path, settings);
    },
  },
};

const files = {
  path: 'a.toy',
  other: 'b.toy',
  damaged: ['c.toy'],
  shape: SHAPE,
  x: HELD['a.toy']!.x,
  y: HELD['a.toy']!.y,
};

describe.each(Object.entries(datasetChecks))('the check "%s"', (name, check) => {
  it('lets a sound source pass', async () => {
    await check({ source: sound, options: {}, files });
  });

  it('catches a broken one', async () => {
    await expect(check({ source: BROKEN[name]!, options: {}, files })).rejects.toThrow(/^Unexpected /);
  });
});

it('catches one that accepts what is damaged', async () => {
  const check = datasetChecks['refuses damaged data in a sentence']!;
  const lax = { ...files, damaged: ['b.toy'] };
  await expect(check({ source: sound, options: {}, files: lax })).rejects.toThrow(/^Unexpected success/);
});
