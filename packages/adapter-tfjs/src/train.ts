import {
  checkLoss,
  type GauntletError,
  type Optimiser,
  type Tensors,
  type TrainableModel,
  unexpected,
  weightIn,
} from '@gauntlet/core';
import { rows, stream, tensor } from '@gauntlet/tensor';
import type * as Tfjs from '@tensorflow/tfjs';
import { compileLoss } from './loss.js';
import { openModel, type OpenTfjsSettings, served } from './open.js';
import { type Memory, moveOf } from './optimiser.js';
import { saveLayers } from './save.js';
import { isLayersModel } from './source.js';

/** How a tfjs model is opened to be trained. */
export interface TrainTfjsSettings extends OpenTfjsSettings {
  readonly optimiser: Optimiser;
}

/** A weight that is trained, by its name in the model's files. */
interface Weight {
  readonly name: string;
  readonly variable: Tfjs.Variable;
}

const STEPS = 'steps';

/**
 * Opens a LayersModel to be trained: the weights that its layers call trainable, in the model itself. Running statistics of
 * BatchNormalization stay what the file says, and dropout is left out.
 *
 * @throws GauntletError for what `openTfjs` refuses, for GraphModels, and for models without gradients or weights.
 */
export async function trainTfjs(
  source: Parameters<typeof openModel>[0],
  settings: TrainTfjsSettings,
): Promise<TrainableModel> {
  const opened = await openModel(source, settings);
  const { tf, model, scores, facts, refusal, json } = opened;
  const weights = isLayersModel(model) ? weightsOf(model) : [];
  if (!isLayersModel(model) || refusal !== null || weights.length === 0) {
    opened.close();
    throw untrainable(typeof source === 'string' ? source : facts.name, isLayersModel(model), refusal);
  }
  const move = moveOf(settings.optimiser);
  let memory: Readonly<Record<string, Memory>> = {};
  let steps = 0;

  const write = ({ variable }: Weight, data: Float32Array) =>
    tf.tidy(() => variable.assign(tf.tensor(data, variable.shape)));
  const read = ({ variable }: Weight) => variable.dataSync<'float32'>().slice();

  return {
    ...served(opened),
    async update(points, loss) {
      checkLoss(loss, rows(points), facts.classes);
      let [found, losses] = [new Float32Array(), new Float32Array()];
      const gradients = new Map<string, Float32Array>();
      tf.tidy(() => {
        const { grads } = tf.variableGrads(
          () => {
            const made = scores(tf.tensor(points.data, [...points.shape]));
            const values = compileLoss(tf, made, loss);
            found = made.dataSync<'float32'>().slice();
            losses = values.dataSync<'float32'>().slice();
            return tf.mean(values) as Tfjs.Scalar;
          },
          weights.map(({ variable }) => variable),
        );
        for (const { name, variable } of weights) {
          const gradient = grads[variable.name];
          if (gradient !== undefined) gradients.set(name, gradient.dataSync<'float32'>().slice());
        }
      });
      steps++;
      const moved = weights.flatMap((weight) => {
        const gradient = gradients.get(weight.name);
        if (gradient === undefined) return [];
        const next = move(read(weight), gradient, memory[weight.name] ?? {}, steps);
        write(weight, next.weight);
        return [[weight.name, next.memory] as const];
      });
      memory = Object.fromEntries(moved);
      return { scores: tensor(found, [rows(points), facts.classes]), loss: losses };
    },
    async state() {
      const held = Object.fromEntries(weights.map((weight) => [weight.name, shaped(weight, read(weight))]));
      if (steps === 0) return { weights: held };
      const remembered = weights.flatMap((weight) =>
        Object.entries(memory[weight.name] ?? {}).map(
          ([kind, data]) => [`${kind}:${weight.name}`, shaped(weight, data)] as const,
        ),
      );
      return {
        weights: held,
        memory: { ...Object.fromEntries(remembered), [STEPS]: tensor(Float32Array.of(steps), [1]) },
      };
    },
    async restore(state) {
      const contents = weights.map((weight) => [weight, weightIn(state, weight.name).data] as const);
      for (const [weight, data] of contents) write(weight, data);
      steps = state.memory?.[STEPS]?.data[0] ?? 0;
      memory = remembered(state.memory ?? {});
    },
    async initialise(seed) {
      const fans = new Map(
        weights
          .map(({ name, variable }) => [layerOf(name), fanOf(name, variable.shape)] as const)
          .filter(([, fan]) => fan > 0),
      );
      for (const weight of weights) {
        write(weight, fresh(weight, fans.get(layerOf(weight.name)) ?? weight.variable.size, seed));
      }
      [memory, steps] = [{}, 0];
    },
    save: (path, provenance) => saveLayers(model, json, path, provenance),
  };
}

function untrainable(at: string, isLayers: boolean, refusal: string | null): GauntletError {
  const found = !isLayers
    ? 'GraphModel'
    : refusal !== null
      ? 'model without gradients'
      : 'model without weights';
  return unexpected({
    found,
    at,
    expected: 'a LayersModel with trainable weights, which can be differentiated',
    remedy:
      refusal ??
      (isLayers ? 'Make its layers trainable.' : 'Train the LayersModel that it was converted from.'),
    code: 'unsupported',
  });
}

/** The trainable weights; what tfjs keeps them in is its own. */
const weightsOf = (model: Tfjs.LayersModel): Weight[] =>
  (model.trainableWeights as unknown as { originalName: string; val: Tfjs.Variable }[]).map(
    ({ originalName: name, val: variable }) => ({ name, variable }),
  );

const shaped = ({ variable }: Weight, data: Float32Array) =>
  tensor(data, variable.shape.length === 0 ? [1] : variable.shape);

/** `m:conv/kernel` and the like, by weight and then by kind. */
function remembered(all: Tensors): Readonly<Record<string, Memory>> {
  const memory: Record<string, Record<string, Float32Array>> = {};
  for (const [key, { data }] of Object.entries(all)) {
    const at = key.indexOf(':');
    if (at > 0) (memory[key.slice(at + 1)] ??= {})[key.slice(0, at)] = data;
  }
  return memory;
}

const layerOf = (name: string) => name.replace(/\/[^/]+$/, '');
const kindOf = (name: string) => name.replace(/^.*\//, '');

/** How many numbers go into one of a kernel's; 0 for what is no kernel. */
function fanOf(name: string, shape: readonly number[]): number {
  const last = kindOf(name) === 'depthwise_kernel' ? 2 : 1;
  return name.endsWith('kernel') ? shape.slice(0, -last).reduce((product, n) => product * n, 1) : 0;
}

const SLOPE = 0.25;

/** Kernels and their biases uniform within 1 / sqrt(fan), as PyTorch's layers start; scales 1 and shifts 0. */
function fresh({ name, variable }: Weight, fan: number, seed: number): Float32Array {
  const random = stream('weights', seed, name);
  const filled = (draw: () => number) => Float32Array.from({ length: variable.size }, draw);
  switch (kindOf(name)) {
    case 'gamma':
      return filled(() => 1);
    case 'beta':
      return filled(() => 0);
    case 'alpha':
      return filled(() => SLOPE);
    default:
      return filled(() => (2 * random.uniform() - 1) / Math.sqrt(fan));
  }
}
