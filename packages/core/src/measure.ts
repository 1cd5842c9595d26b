import { argmax, take } from '@gauntlet/tensor';
import { evade } from './evade.js';
import type { Samples } from './samples.js';
import type { TrainingTask } from './training-task.js';

/** Shares of samples: classified correctly, and still so under attack; null where nothing attacks. */
export interface Accuracy {
  readonly clean: number;
  readonly robust: number | null;
}

/** Clean and robust accuracy on samples. Random numbers are the same at every call. */
export async function measure(
  { model, threat, batchSize, seed }: TrainingTask,
  samples: Samples,
  signal: AbortSignal,
): Promise<Accuracy> {
  let [correct, held] = [0, 0];
  for (let from = 0; from < samples.samples; from += batchSize) {
    signal.throwIfAborted();
    const size = Math.min(batchSize, samples.samples - from);
    const { ids, x, y } = await samples.at(Array.from({ length: size }, (_, i) => from + i));
    const answers = argmax(await model.scores(x));
    const right = [...answers.keys()].filter((i) => answers[i] === y[i]);
    correct += right.length;
    if (threat === null || right.length === 0) continue;
    const classes = Int32Array.from(right, (i) => y[i]!);
    const { reached } = await evade({
      attack: threat.attack,
      options: threat.measuring,
      model,
      x: take(x, right),
      ids: right.map((i) => ids[i]!),
      goal: { kind: 'untargeted', classes, confidence: 0 },
      clean: classes,
      norm: threat.norm,
      epsilon: threat.epsilon,
      box: model.input.bounds,
      restarts: 1,
      seed,
      signal,
    });
    held += reached.reduce((sum, hit) => sum + 1 - hit, 0);
  }
  const share = (count: number) => count / samples.samples;
  return { clean: share(correct), robust: threat === null ? null : share(held) };
}
