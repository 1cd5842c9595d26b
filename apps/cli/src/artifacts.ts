import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Io, type Kept, shortName } from '@gauntlet/core';
import { tensor } from '@gauntlet/tensor';
import { bytesOf } from './arrays.js';
import { atomically } from './atomically.js';

/** The array that says what fitting took: samples, queries, gradients and seconds. */
const FIT = '__fit__';

/** Keeps what universal attacks fitted in a folder: an .npz file for each, with the tensors by their names. */
export const artifactsIn = (folder: string): NonNullable<Io['artifacts']> => ({
  async load(key) {
    const path = join(folder, fileOf(key));
    if (!existsSync(path)) return null;
    const { readNpz } = await import('@gauntlet/dataset-npz');
    const { [FIT]: fit, ...arrays } = await readNpz(path);
    const [samples = 0, queries = 0, gradients = 0, seconds = 0] = fit?.data ?? [];
    const tensors = Object.entries(arrays).map(
      ([name, { data, shape }]) => [name, tensor(Float32Array.from(data), shape)] as const,
    );
    return {
      artifact: Object.fromEntries(tensors),
      cost: { samples, queries, gradients, seconds },
    } satisfies Kept;
  },
  async save(key, { artifact, cost: { samples, queries, gradients, seconds } }) {
    const { writeNpz } = await import('@gauntlet/dataset-npz');
    await mkdir(folder, { recursive: true });
    const fit = bytesOf(Float64Array.of(samples, queries, gradients, seconds));
    const arrays = Object.entries(artifact).map(([name, { data, shape }]) => ({
      ...{ name, dtype: '<f4', shape, data: [bytesOf(data)] },
    }));
    await atomically(join(folder, fileOf(key)), (to) =>
      writeNpz(to, [...arrays, { name: FIT, dtype: '<f8', shape: [4], data: [fit] }]),
    );
  },
});

/** A name that no other key has: `attack/uap 0.2` is kept in `uap+0.2.npz`. */
const fileOf = (key: string) => `${encodeURIComponent(shortName(key)).replaceAll('%20', '+')}.npz`;
