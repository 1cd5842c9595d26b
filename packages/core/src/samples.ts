import { stream, take, tensor } from '@gauntlet/tensor';
import type { Batch, Dataset } from './dataset.js';
import { unexpected } from './errors.js';

/** Labelled samples by place, in any order. */
export interface Samples {
  readonly samples: number;
  at(places: readonly number[]): Promise<Batch>;
}

/** Data sets up to this many bytes are held in memory. */
const HELD = 2 ** 30;

/** The numbers 0 .. n - 1 in an order that belongs to the keys (Fisher and Yates). */
export function shuffled(n: number, ...keys: readonly (string | number)[]): number[] {
  const random = stream('order', ...keys);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/**
 * Cuts a data set in two, at random: samples to learn from, and `count` held out.
 *
 * @throws GauntletError `input` when nothing would be left to learn from, or nothing to measure by.
 */
export async function split(
  dataset: Dataset,
  count: number,
  seed: number,
): Promise<{ readonly learn: Samples; readonly heldOut: Samples }> {
  const { kept, heldOut } = cut(dataset, count, seed);
  const all = await reader(dataset);
  return { learn: part(all, kept), heldOut: part(all, heldOut) };
}

/**
 * The same cut, for an audit: samples that are attacked, and `count` that are set apart, both in the order in which they lie.
 *
 * @throws GauntletError `input` when nothing would be left of either.
 */
export async function setApart(
  dataset: Dataset,
  count: number,
  seed: number,
): Promise<{ readonly attacked: Dataset; readonly apart: Dataset }> {
  const { kept, heldOut } = cut(dataset, count, seed);
  const all = await reader(dataset);
  const { name, fingerprint, shape } = dataset;
  const own = (places: readonly number[]): Dataset => {
    const order = [...places].sort((a, b) => a - b);
    const batch = async (from: number, to: number) => all(order.slice(from, to));
    return { name, fingerprint, shape, samples: order.length, batch };
  };
  return { attacked: own(kept), apart: own(heldOut) };
}

/** The places of `count` samples at random, and those of the others. */
function cut({ samples, name }: Dataset, count: number, seed: number) {
  if (count < 1 || count >= samples) {
    throw unexpected({
      found: `${count} of ${samples} samples held out`,
      at: name,
      expected: 'at least one, and fewer than there are',
      remedy: 'Hold out another number, or pass more data.',
    });
  }
  const order = shuffled(samples, seed, 'held out');
  return { kept: order.slice(count), heldOut: order.slice(0, count) };
}

const part = (all: Samples['at'], own: readonly number[]): Samples => ({
  samples: own.length,
  at: (places) => all(places.map((place) => own[place]!)),
});

/** Reads samples in any order: from memory, or one by one. */
export async function reader(dataset: Dataset): Promise<Samples['at']> {
  const bytes = 4 * dataset.samples * dataset.shape.reduce((product, n) => product * n, 1);
  const held = bytes <= HELD ? await dataset.batch(0, dataset.samples) : null;
  if (held !== null) return async (places) => chosen(held, places);
  return async (places) => {
    const parts: Batch[] = [];
    for (const place of places) parts.push(await dataset.batch(place, place + 1));
    const data = new Float32Array(parts.reduce((sum, { x }) => sum + x.data.length, 0));
    parts.forEach(({ x }, i) => data.set(x.data, i * x.data.length));
    return {
      ids: parts.flatMap(({ ids }) => ids),
      x: tensor(data, [places.length, ...dataset.shape]),
      y: Int32Array.from(parts, ({ y }) => y[0]!),
    };
  };
}

const chosen = ({ ids, x, y }: Batch, places: readonly number[]): Batch => ({
  ids: places.map((place) => ids[place]!),
  x: take(x, places),
  y: Int32Array.from(places, (place) => y[place]!),
});
