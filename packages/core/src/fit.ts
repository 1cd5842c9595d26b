import type { Dataset } from './dataset.js';
import type { Detector, DetectorJob } from './defence.js';
import { defend, type Layer } from './defend.js';
import type { Access, Model } from './model.js';

/**
 * A stack with its thresholds: each detector turns away at most a share of clean samples, as they reach it through what stands before it.
 *
 * @param models as for `defend`.
 * @param stack whatever threshold a detector has in it is replaced.
 */
export async function fitThresholds(
  models: readonly [Model<Access>, ...Model<Access>[]],
  stack: readonly Layer[],
  clean: Dataset,
  { share, seed, batchSize }: { readonly share: number; readonly seed: number; readonly batchSize: number },
): Promise<readonly Layer[]> {
  const seen = stack.map((): number[] => []);
  const listening = stack.map((layer, place): Layer =>
    isDetector(layer)
      ? { ...layer, defence: listener(layer.defence, seen[place]!), threshold: Infinity }
      : layer,
  );
  const model = defend(models, listening);
  for (let from = 0; from < clean.samples; from += batchSize) {
    const { ids, x } = await clean.batch(from, Math.min(from + batchSize, clean.samples));
    await (model.draw?.({ keys: [seed, 'fit'], ids }) ?? model).accepts?.(x);
  }
  return stack.map((layer, place) =>
    isDetector(layer) ? { ...layer, threshold: thresholdFor(Float32Array.from(seen[place]!), share) } : layer,
  );
}

const isDetector = (layer: Layer): layer is Extract<Layer, { readonly threshold: number }> =>
  layer.defence.kind === 'detector';

/** The detector, telling what it suspects. */
const listener = (detector: Detector, heard: number[]): Detector => ({
  ...detector,
  async suspicion(job: DetectorJob<never, never>) {
    const found = await detector.suspicion(job);
    for (const value of found) heard.push(value);
    return found;
  },
});

/**
 * The threshold that at most a share of clean samples exceeds.
 *
 * @param suspicions of clean samples; at least one.
 */
export function thresholdFor(suspicions: Float32Array, share: number): number {
  const sorted = [...suspicions].sort((a, b) => b - a);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
