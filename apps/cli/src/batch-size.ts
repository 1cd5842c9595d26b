import { resolve } from 'node:path';
import { type Access, allows, type Assembled, type Model } from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { rows, take, type Tensor } from '@gauntlet/tensor';
import type { AuditRequest } from './request.js';
import { recordedPlan } from './run-folder.js';
import type { Terminal } from './terminal.js';

/** The largest batch that is tried. */
const LARGEST = 256;

/** The batch where larger ones were not tried, because the model is slow: samples that fall leave room in it. */
const USUAL = 64;

/** Seconds for which one size is measured in each round, and after which no further one is. */
const EACH = 0.01;
const ALL = 1;

/** Rounds over all sizes: the least of times that lie apart says what a call costs, whatever else the machine does. */
const ROUNDS = 4;

/**
 * Larger batches are taken where a sample costs up to this much of what it costs in the best: they shrink when samples fall, and
 * what is left of them is then not too small.
 */
const SLACK = 1.25;

/** The batch size that was asked for, or that of the run which goes on, or what a trial finds. */
export async function batchSizeOf(
  request: AuditRequest,
  { assembled, callSize }: { readonly assembled: Assembled; readonly callSize: number | undefined },
  { cwd, now }: Pick<Terminal, 'cwd' | 'now'>,
): Promise<number> {
  if (request.batchSize !== 'auto') return request.batchSize;
  const { plan, model, dataset, steps } = assembled;
  const recorded =
    request.out === null || request.overwrite ? undefined : await recordedPlan(resolve(cwd, request.out));
  if (recorded?.batchSize !== undefined) return recorded.batchSize;
  const { x } = await dataset.batch(0, probeSize({ callSize }, plan.data.samples));
  // What is crafted on other models is tried on this one only.
  const access = highest(steps.map(({ attack, on }) => (on === undefined ? attack.access : 'labels')));
  return probeBatchSize(model, { access, x, targeted: request.goal.kind === 'targeted', now });
}

const highest = (all: readonly Access[]): Access => all.reduce((a, b) => (allows(a, b) ? a : b), 'none');

/** What is probed. */
export interface Probe {
  /** The highest access that the attacks need. */
  readonly access: Access;
  /** Some samples: as many as the largest batch may have. */
  readonly x: Tensor;
  readonly targeted: boolean;
  /** Seconds, from any origin. */
  now(): number;
}

/** How many samples the largest batch has that a model may be tried on. */
export const probeSize = (
  { callSize = Infinity }: { readonly callSize?: number | undefined },
  samples: number,
): number => Math.max(1, Math.min(LARGEST, callSize, samples));

/**
 * The largest batch size at which a call costs little per sample: powers of two are tried upwards, for about a second. Which rows come
 * out does not depend on it.
 */
export async function probeBatchSize(model: Model<Access>, probe: Probe): Promise<number> {
  const { x, now } = probe;
  const most = rows(x);
  const call = callOf(model, probe);
  const first = (size: number) =>
    take(
      x,
      Array.from({ length: size }, (_, i) => i),
    );
  const started = now();
  // The first call also makes the session.
  await call(first(1));
  const costs = new Map<number, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const size of sizesUpTo(most)) {
      // It takes as long as before, or twice as long as half of it.
      const expected = costs.get(size) ?? costs.get(size / 2) ?? 0;
      if (now() - started + size * expected > ALL) return chosen(costs, most);
      const each = (await fastest(() => call(first(size)), now)) / size;
      costs.set(size, Math.min(each, costs.get(size) ?? Infinity));
    }
  }
  return chosen(costs, most);
}

/** The largest size that costs little; where a slow model left no time to try the usual one, that. */
function chosen(costs: ReadonlyMap<number, number>, most: number): number {
  const best = Math.min(...costs.values());
  const cheap = [...costs].flatMap(([size, each]) => (each <= SLACK * best ? [size] : []));
  const usual = Math.min(USUAL, most);
  return Math.max(...cheap, Math.max(...costs.keys()) < usual ? usual : 1);
}

/** 1, 2, 4 ... and the last. */
function sizesUpTo(most: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = 1; size < most; size *= 2) sizes.push(size);
  return [...sizes, most];
}

/** The seconds of the fastest of some runs. */
async function fastest(run: () => Promise<unknown>, now: () => number): Promise<number> {
  let least = Infinity;
  for (const end = now() + EACH; least === Infinity || now() < end;) {
    const started = now();
    await run();
    least = Math.min(least, now() - started);
  }
  return least;
}

/** The call that attacks will make, on points. */
function callOf(model: Model<Access>, { access, targeted }: Probe): (points: Tensor) => Promise<unknown> {
  if (access === 'gradients') {
    const kind = targeted ? 'targeted' : 'untargeted';
    return (points) => {
      const classes = new Int32Array(rows(points));
      return (model as Model<'gradients'>).gradient(points, logOdds({ kind, classes, confidence: 0 }));
    };
  }
  if (access === 'scores') return (points) => (model as Model<'scores'>).scores(points);
  return (points) => (model as Model<'labels'>).labels(points);
}
