import type { Io } from './apply.js';
import { type FitSamples, fitArtifact } from './artifact.js';
import { cleanAnswers } from './clean.js';
import { goalsFor } from './goal.js';
import type { Assembled, Step } from './plan.js';
import type { Row } from './row.js';
import { reader } from './samples.js';
import type { Tensors } from './training.js';
import type { Universal } from './universal.js';

/** What a universal attack fitted, and what that took. */
export interface Kept {
  readonly artifact: Tensors;
  readonly cost: NonNullable<Row['fit']>;
}

/** A universal attack of a plan, at one epsilon. */
interface Fitting {
  readonly name: string;
  readonly step: Step & { readonly attack: Universal };
  readonly epsilon: number;
}

/** Fits a universal attack of a plan, or takes what an earlier run fitted. */
export async function keptOf(assembled: Assembled, io: Io, { name, step, epsilon }: Fitting): Promise<Kept> {
  const { plan, model, surrogates } = assembled;
  const earlier = await io.artifacts?.load(name);
  if (earlier) return earlier;
  const started = io.now();
  const data = await fitSamples(assembled);
  const { artifact, ...asked } = await fitArtifact({
    ...plan.threatModel,
    ...step,
    model: step.on === undefined ? model : surrogates![step.on]!,
    data,
    epsilon,
    seed: plan.seed,
    signal: io.signal,
  });
  const kept = { artifact, cost: { samples: data.samples, ...asked, seconds: io.now() - started } };
  await io.artifacts?.save(name, kept);
  return kept;
}

async function fitSamples({ plan, model, fit }: Assembled): Promise<FitSamples> {
  const { goal } = plan.threatModel;
  const ranked = goal.kind === 'targeted' && goal.target === 'least-likely';
  const at = await reader(fit!);
  return {
    samples: fit!.samples,
    async at(places) {
      const batch = await at(places);
      const scores = ranked ? (await cleanAnswers(model, batch, plan.seed)).scores : null;
      return { x: batch.x, goal: goalsFor(plan, model.classes, batch, scores) };
    },
  };
}
