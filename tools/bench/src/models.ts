import { readFile } from 'node:fs/promises';
import { buildGradient, loadRuntime, openOnnx, prepare } from '@gauntlet/adapter-onnx';
import pgd from '@gauntlet/attack-pgd';
import { evade, type Goal, type GradientModel } from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { rows, stream, type Tensor, tensor } from '@gauntlet/tensor';
import { interleaved } from './measure.js';

/** One model's times, in milliseconds. */
export interface ModelTimes {
  readonly model: string;
  /** Writing the gradient graph, once for each loss; ONNX Runtime's loading comes on top. */
  readonly build: number;
  /** The batch size with the cheapest gradient for each sample, at which the others are measured. */
  readonly batch: number;
  readonly forward: number;
  readonly gradient: number;
  readonly pgd: number;
  /** Gradient by forward pass. */
  readonly ratio: number;
  /** The same for one sample. */
  readonly single: number;
  /** PGD by twice as many forward passes as it has steps. */
  readonly pgdRatio: number;
}

const STEPS = 40;

/** Batch sizes beside 1 to choose from, and turns of PGD, for models that take less than so many milliseconds for a sample, and for slower ones. */
const SLOW = 5;
const QUICK = { batches: [8, 32, 128], turns: 7 };
const LONG = { batches: [2, 4], turns: 3 };

/** Times ONNX Runtime's own forward pass, one gradient, and PGD, on random samples. */
export async function timeModel(path: string): Promise<ModelTimes> {
  const opened = await openOnnx(path, { bounds: [0, 1], trial: false });
  if (!('gradient' in opened))
    throw new Error(`Unexpected model without gradients at ${path}, expected one to attack.`);
  const { term } = logOdds(unreachable(Int32Array.of(0)));
  const prepared = await prepare(path, { bounds: [0, 1] });
  const { build } = await interleaved({ build: () => buildGradient(prepared, term) }, QUICK.turns);
  const { InferenceSession, Tensor: Native } = await loadRuntime();
  const session = await InferenceSession.create(await readFile(path), {
    logSeverityLevel: 4,
    // Threads that still spin for one work would take the processor from the next.
    extra: { session: { force_spinning_stop: '1' } },
  });
  const [input = ''] = session.inputNames;
  const worksOf = async (batch: number) => {
    const x = samples(opened, batch);
    const labels = await opened.labels(x);
    return {
      forward: () => session.run({ [input]: new Native('float32', x.data, x.shape) }),
      gradient: () => opened.gradient(x, logOdds(unreachable(labels))),
      pgd: () => attack(opened, x, labels),
    };
  };
  const both = async (batch: number) => {
    const { forward, gradient } = await worksOf(batch);
    return { batch, ...(await interleaved({ forward, gradient }, QUICK.turns)) };
  };
  const single = await both(1);
  const pace = single.forward < SLOW ? QUICK : LONG;
  const tried = [single];
  for (const batch of pace.batches) tried.push(await both(batch));
  const { batch } = tried.reduce((a, b) => (b.gradient / b.batch < a.gradient / a.batch ? b : a));
  const times = await interleaved(await worksOf(batch), pace.turns);
  await Promise.all([opened.close(), session.release()]);
  return {
    model: opened.name,
    build,
    batch,
    ...times,
    ratio: times.gradient / times.forward,
    single: single.gradient / single.forward,
    pgdRatio: times.pgd / (2 * STEPS * times.forward),
  };
}

function samples(model: GradientModel, count: number): Tensor {
  const shape = [count, ...model.input.shape];
  const random = stream('bench', model.name, count);
  return tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.uniform()),
    shape,
  );
}

/** A goal that nobody reaches: it asks for a lead that no score has, so every row stays to the last step. */
const unreachable = (classes: Int32Array): Goal => ({ kind: 'untargeted', classes, confidence: 1e30 });

const attack = (model: GradientModel, x: Tensor, clean: Int32Array) =>
  evade({
    attack: pgd,
    options: { steps: STEPS, stepSize: 0.1, randomStart: true },
    model,
    x,
    ids: Array.from({ length: rows(x) }, (_, i) => i),
    goal: unreachable(clean),
    clean,
    norm: 'linf',
    epsilon: 8 / 255,
    box: [0, 1],
    restarts: 1,
    seed: 0,
    signal: new AbortController().signal,
  });
