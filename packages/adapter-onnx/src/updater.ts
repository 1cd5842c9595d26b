import type { Gradient, Loss, ModelState, Optimiser, Term, Tensors } from '@gauntlet/core';
import { writeModel } from '@gauntlet/onnx';
import type { Lowering } from '@gauntlet/onnx-grad';
import { appendUpdate, type Carried, type Weight } from '@gauntlet/onnx-train';
import { tensor, type Tensor } from '@gauntlet/tensor';
import { lossFeeds } from './feeds.js';
import { platformLowering, withLoss } from './gradient.js';
import type { Prepared } from './prepared.js';
import { atPath } from './read.js';
import { createSession, type Feeds, loadRuntime } from './runtime.js';

/** Makes steps of an optimiser. */
export interface Updater {
  /** Forward, backward to all weights and the update, in one run; gives the state after it, and the answers before it. */
  step(
    points: Tensor,
    loss: Loss,
    state: ModelState,
  ): Promise<{ readonly state: ModelState; readonly answers: Omit<Gradient, 'gradient'> }>;
  release(): Promise<void>;
}

/** The entry of an optimiser's memory that counts steps. */
const STEPS = 'steps';

/** Builds the training graph of a loss term over a model whose weights are inputs. */
export async function createUpdater(
  prepared: Prepared,
  term: Term,
  weights: readonly Weight[],
  {
    optimiser,
    lowering = platformLowering(),
  }: { readonly optimiser: Optimiser; readonly lowering?: Lowering },
): Promise<Updater> {
  const { name, input, scores, classes } = prepared;
  const { Tensor: Native } = await loadRuntime();
  const { bytes, compiled, update } = atPath(name, () => {
    const { graph, batch, compiled, types } = withLoss(prepared, term);
    const names = weights.map((weight) => weight.name);
    const update = appendUpdate(graph, { loss: compiled.loss, weights: names, optimiser, types, lowering });
    graph.output(compiled.loss, 'float32', [batch]);
    return { bytes: writeModel(graph.model), compiled, update };
  });
  const session = await createSession(bytes, name);
  const carried = [...update.weights.values(), ...update.memory.values()];
  const outputs = [scores, compiled.loss, ...carried.map(({ output }) => output)];

  const feed = (all: ReadonlyMap<string, Carried>, from: Tensors): Feeds =>
    Object.fromEntries(
      [...all].map(([key, { input: to, dims }]) => [
        to,
        new Native('float32', from[key]?.data ?? new Float32Array(sizeOf(dims)), dims),
      ]),
    );
  const read = (all: ReadonlyMap<string, Carried>, results: Feeds): Tensors =>
    Object.fromEntries(
      [...all].map(([key, { output, dims }]) => [
        key,
        tensor(results[output]!.data as Float32Array, dims.length === 0 ? [1] : dims),
      ]),
    );

  return {
    async step(points, loss, { weights: before, memory = {} }) {
      const count = (memory[STEPS]?.data[0] ?? 0) + 1;
      const numbers = [...update.numbers(count)].map(
        ([to, value]) => [to, new Native('float32', Float32Array.of(value), [])] as const,
      );
      const results = await session.run(
        {
          [input.name]: new Native('float32', points.data, points.shape),
          ...lossFeeds({ Tensor: Native }, compiled, loss),
          ...feed(update.weights, before),
          ...feed(update.memory, memory),
          ...Object.fromEntries(numbers),
        },
        outputs,
      );
      return {
        state: {
          weights: read(update.weights, results),
          memory: { ...read(update.memory, results), [STEPS]: tensor(Float32Array.of(count), [1]) },
        },
        answers: {
          scores: tensor(results[scores]!.data as Float32Array, [points.shape[0]!, classes]),
          loss: results[compiled.loss]!.data as Float32Array,
        },
      };
    },
    release: () => session.release(),
  };
}

const sizeOf = (dims: readonly number[]) => dims.reduce((product, n) => product * n, 1);
