import {
  checkLoss,
  type GradientModel,
  type ModelState,
  type Optimiser,
  type TrainableModel,
  unexpected,
  weightIn,
} from '@gauntlet/core';
import { Graph, readModel, writeModel } from '@gauntlet/onnx';
import { freshWeight, promote, weightsOf } from '@gauntlet/onnx-train';
import { rows, tensor, type Tensor } from '@gauntlet/tensor';
import { EVERYTHING } from './external.js';
import { serve } from './model.js';
import type { OpenOnnxSettings } from './open.js';
import { prepare } from './prepare.js';
import type { Prepared } from './prepared.js';
import { atPath, readModelFile } from './read.js';
import { type Feeds, loadRuntime } from './runtime.js';
import { saveWeights } from './save.js';
import { prepareApart } from './trial.js';
import { createUpdater, type Updater } from './updater.js';

/** How an ONNX file is opened to be trained. */
export interface TrainOnnxSettings extends OpenOnnxSettings {
  readonly optimiser: Optimiser;
}

/**
 * Opens an ONNX file to be trained. Its weights (`weightsOf`) become inputs of the graphs: of the one that gives scores and gradients,
 * and of the one that makes a step of the optimiser. Running statistics of BatchNormalization stay what the file says.
 *
 * @throws GauntletError for what `openOnnx` refuses, and for models without gradients, without weights, or of a fixed batch size.
 */
export async function trainOnnx(path: string, settings: TrainOnnxSettings): Promise<TrainableModel> {
  const kept = { ...settings, keepWeights: true, inMemory: EVERYTHING };
  const prepared = settings.trial === false ? await prepare(path, kept) : await prepareApart(path, kept);
  for (const notice of prepared.notices) settings.onNotice?.(notice);
  const { model: original } = await readModelFile(path, kept);
  const { Tensor: Native } = await loadRuntime();
  const { open, weights, first } = atPath(path, () => openUp(prepared, path));
  const updaters = new Map<string, Promise<Updater>>();
  // Tensors of a state are never written to: whoever holds one may keep it.
  let state: ModelState = { weights: first };

  const feeds = (): Feeds =>
    Object.fromEntries(
      weights.map(({ name, dims }) => [name, new Native('float32', weightIn(state, name).data, dims)]),
    );
  const served = await serve(open, { ...settings, weights: feeds });

  return {
    ...(served as GradientModel),
    files: prepared.files,
    async update(points, loss) {
      checkLoss(loss, rows(points), served.classes);
      const key = JSON.stringify(loss.term);
      const updater = updaters.get(key) ?? createUpdater(open, loss.term, weights, settings);
      updaters.set(key, updater);
      const step = await (await updater).step(points, loss, state);
      state = step.state;
      return step.answers;
    },
    state: async () => state,
    async restore(given) {
      for (const { name } of weights) weightIn(given, name);
      state = given;
    },
    async initialise(seed) {
      const fresh = weights.map((weight) => [weight.name, held(freshWeight(weight, seed), weight.dims)]);
      state = { weights: Object.fromEntries(fresh) };
    },
    save: (to, provenance) => saveWeights(to, original, state.weights, provenance),
    async close() {
      await served.close();
      for (const made of await Promise.allSettled(updaters.values()))
        if (made.status === 'fulfilled') await made.value.release();
      updaters.clear();
    },
  };
}

/** Makes the weights of a prepared model inputs; what they held is the first state. */
function openUp(prepared: Prepared, path: string) {
  const { name, refusal, batch } = prepared;
  const refuse = (found: string, expected: string, remedy: string) =>
    unexpected({ found, at: path, expected, remedy, code: 'unsupported' });
  if (refusal !== null) throw refuse('model without gradients', 'one that can be differentiated', refusal);
  if (batch !== 'any') {
    const remedy = 'Export it with a dynamic batch axis.';
    throw refuse(`model for batches of ${batch}`, 'one that takes batches of any size', remedy);
  }
  const model = readModel(prepared.model);
  const kept = new Set(prepared.weights);
  const weights = weightsOf(new Graph(model), prepared.types).filter((weight) => kept.has(weight.name));
  if (weights.length === 0) {
    const expected = 'float32 initialisers of layers such as Conv or Gemm';
    throw refuse(
      `model ${name} without weights`,
      expected,
      'Export the model with its weights as initialisers.',
    );
  }
  const contents = promote(
    model,
    weights.map((weight) => weight.name),
  );
  const first = [...contents].map(([key, { data, dims }]) => [key, held(data as Float32Array, dims)]);
  const open: Prepared = { ...prepared, model: writeModel(model) };
  return { open, weights, first: Object.fromEntries(first) as Record<string, Tensor> };
}

/** Contents with their shape; a scalar counts as one row. */
const held = (data: Float32Array, dims: readonly number[]): Tensor =>
  tensor(data, dims.length === 0 ? [1] : dims);
