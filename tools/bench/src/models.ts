import { readFile } from 'node:fs/promises';
import { loadRuntime, openOnnx } from '@gauntlet/adapter-onnx';
import pgd from '@gauntlet/attack-pgd';
import { evade, type GradientModel, type Loss } from '@gauntlet/core';
import { rows, stream, type Tensor, tensor } from '@gauntlet/tensor';
import { interleaved } from './measure.js';

/** One model's times, in milliseconds. */
export interface ModelTimes {
  readonly model: string;
  readonly batch: number;
  readonly forward: number;
  readonly gradient: number;
  readonly pgd: number;
  /** PGD by twice as many forward passes as it has steps. */
  readonly pgdRatio: number;
  /** Gradient by forward pass, of one sample. */
  readonly single: number;
  /** Gradient by forward pass, at the batch size with the cheapest gradient per sample. */
  readonly best: { readonly batch: number; readonly ratio: number };
}

const BATCHES = [1, 8, 32, 128];
const STEPS = 20;

const CROSS_ENTROPY: Loss['term'] = {
  op: 'softplus',
  of: {
    op: 'sub',
    of: [
      { op: 'logSumExpOther', class: 'own' },
      { op: 'pick', class: 'own' },
    ],
  },
};

/** Times ONNX Runtime's own forward pass, one gradient, and PGD, on random samples. */
export async function timeModel(path: string, batch: number, turns: number): Promise<ModelTimes> {
  const opened = await openOnnx(path, { bounds: [0, 1], trial: false });
  if (!('gradient' in opened))
    throw new Error(`Unexpected model without gradients at ${path}, expected one to attack.`);
  const { InferenceSession, Tensor: Native } = await loadRuntime();
  const session = await InferenceSession.create(await readFile(path), { logSeverityLevel: 4 });
  const [input = ''] = session.inputNames;
  const forward = (x: Tensor) => () => session.run({ [input]: new Native('float32', x.data, x.shape) });
  const gradient = (x: Tensor, labels: Int32Array) => () =>
    opened.gradient(x, { term: CROSS_ENTROPY, classes: { own: labels }, given: {} });

  const ratios: { batch: number; ratio: number; each: number }[] = [];
  for (const size of BATCHES) {
    const x = samples(opened, size);
    const times = await interleaved(
      { forward: forward(x), gradient: gradient(x, await opened.labels(x)) },
      turns,
    );
    ratios.push({ batch: size, ratio: times.gradient / times.forward, each: times.gradient / size });
  }
  const x = samples(opened, batch);
  const labels = await opened.labels(x);
  const times = await interleaved(
    { forward: forward(x), gradient: gradient(x, labels), pgd: () => attack(opened, x, labels) },
    turns,
  );
  await Promise.all([opened.close(), session.release()]);
  const best = ratios.reduce((a, b) => (b.each < a.each ? b : a));
  return {
    model: opened.name,
    batch,
    ...times,
    pgdRatio: times.pgd / (2 * STEPS * times.forward),
    single: ratios[0]!.ratio,
    best,
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

/** PGD that nobody escapes from: the goal asks for a lead that no score has, so every row stays to the last step. */
const attack = (model: GradientModel, x: Tensor, clean: Int32Array) =>
  evade({
    attack: pgd,
    options: { steps: STEPS, stepSize: 0.1, randomStart: true },
    model,
    x,
    ids: Array.from({ length: rows(x) }, (_, i) => i),
    goal: { kind: 'untargeted', classes: clean, confidence: 1e30 },
    clean,
    norm: 'linf',
    epsilon: 8 / 255,
    box: [0, 1],
    restarts: 1,
    seed: 0,
    signal: new AbortController().signal,
  });
