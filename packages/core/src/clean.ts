import { argmax, rows, rowSize, type Tensor } from '@gauntlet/tensor';
import type { Batch } from './dataset.js';
import { unexpected } from './errors.js';
import { type Access, allows, type Model } from './model.js';
import { DRAWS } from './watch.js';

/** What the system answers to clean samples: where it is random, what it answers most often. */
export interface Clean {
  readonly labels: Int32Array;
  readonly scores: Tensor | null;
  /** Whether a detector turns each away. */
  readonly rejected: readonly boolean[] | null;
}

/**
 * Asks the system about the clean samples of a batch. Its noise belongs to the seed and to each sample.
 *
 * @throws GauntletError `input` at the first sample whose scores hold a NaN: no attack could do worse.
 */
export async function cleanAnswers(model: Model<Access>, { ids, x }: Batch, seed: number): Promise<Clean> {
  const drawn = model.draw?.({ keys: [seed, 'clean'], ids }) ?? model;
  const accepted = await drawn.accepts?.(x);
  const rejected = accepted?.map((passed) => !passed) ?? null;
  const scores = allows(drawn.access, 'scores') ? await (drawn as Model<'scores'>).scores(x) : null;
  if (scores !== null) checkNumbers(scores, ids, model.name);
  if (model.draw !== undefined) return { labels: await usual(drawn as Model<'labels'>, x), scores, rejected };
  const labels =
    scores === null || model.votes === true ? await (drawn as Model<'labels'>).labels(x) : argmax(scores);
  return { labels, scores, rejected };
}

function checkNumbers(scores: Tensor, ids: Batch['ids'], name: string): void {
  const at = scores.data.findIndex(Number.isNaN);
  if (at < 0) return;
  throw unexpected({
    found: 'score NaN',
    at: `sample ${ids[Math.floor(at / rowSize(scores))]} by ${name}`,
    expected: 'numbers',
    remedy: 'Check the model, and --mean and --std if it needs them, or leave the sample out.',
  });
}

/** The answers that a random model gives most often; of equals the first that came. */
async function usual(model: Model<'labels'>, x: Tensor): Promise<Int32Array> {
  const counts = Array.from({ length: rows(x) }, () => new Map<number, number>());
  for (let draw = 0; draw < DRAWS; draw++) {
    (await model.labels(x)).forEach((label, i) => counts[i]!.set(label, (counts[i]!.get(label) ?? 0) + 1));
  }
  const most = (own: ReadonlyMap<number, number>) => [...own].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
  return Int32Array.from(counts, most);
}
