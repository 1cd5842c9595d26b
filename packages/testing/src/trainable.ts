import type { Dataset, ModelState, TrainableModel } from '@gauntlet/core';
import { evaluateLoss } from '@gauntlet/kit';
import { row, rows, stream, type Tensor, tensor } from '@gauntlet/tensor';
import { scoreModel } from './toys.js';

/** A linear model that can be trained, with labelled samples. */
export interface TrainableToy {
  readonly model: TrainableModel;
  readonly dataset: Dataset;
  /** The radius at which the weak features mislead and the strong one does not. */
  readonly epsilon: number;
  /** The share of samples whose strong feature tells their class: the best accuracy under attack at that radius. */
  readonly robust: number;
}

const INPUTS = 21;
const CLASSES = 2;
const [STRONG, WEAK, NOISE] = [0.2, 0.05, 0.05];
const WRONG = 0.1;

/**
 * Two classes of which many weak features know everything, and one strong feature nine parts in ten (after Tsipras et al. 2019, Robustness
 * May Be at Odds with Accuracy): training learns the weak ones, which an attacker turns round; training against the attacker learns the strong one.
 */
export function trainableToy(samples = 400): TrainableToy {
  const y = Int32Array.from({ length: samples }, (_, i) => i % CLASSES);
  const x = tensor(new Float32Array(samples * INPUTS), [samples, INPUTS]);
  y.forEach((label, i) => {
    const random = stream('trainable toy', i);
    const side = label === 1 ? 1 : -1;
    const wrong = (i >> 1) % Math.round(1 / WRONG) === 0;
    row(x, i).set(
      Array.from({ length: INPUTS }, (_, j) =>
        j === 0
          ? 0.5 + side * (wrong ? -STRONG : STRONG)
          : 0.5 + side * WEAK + NOISE * (random.uniform() - 0.5),
      ),
    );
  });
  return { model: linearModel(), dataset: datasetOf(x, y), epsilon: 2 * WEAK, robust: 1 - WRONG };
}

const datasetOf = (x: Tensor, y: Int32Array): Dataset => ({
  name: 'trainable toy',
  fingerprint: 'trainable toy',
  samples: y.length,
  shape: x.shape.slice(1),
  batch: async (from, to) => ({
    ids: Array.from({ length: to - from }, (_, i) => from + i),
    x: tensor(x.data.slice(from * INPUTS, to * INPUTS), [to - from, INPUTS]),
    y: y.slice(from, to),
  }),
});

const RATE = 0.1;
const MOMENTUM = 0.9;
/** Inputs are brought to order one. */
const scaled = (value: number) => 10 * (value - 0.5);
const SLOPE = 10;

/** Scores W x + b of scaled inputs x, trained by descent with momentum. `saved` holds what `save` was given. */
function linearModel(): TrainableModel & { readonly saved: Map<string, unknown> } {
  const size = CLASSES * (INPUTS + 1);
  const weights = new Float32Array(size);
  const velocity = new Float32Array(size);
  const saved = new Map<string, unknown>();
  const at = (k: number) => weights.subarray(k * (INPUTS + 1), (k + 1) * (INPUTS + 1));
  const frozen = scoreModel(
    { name: 'trainable toy', shape: [INPUTS], classes: CLASSES },
    {
      scores: (x) =>
        Float64Array.from({ length: CLASSES }, (_, k) =>
          x.reduce((sum, value, j) => sum + scaled(value) * at(k)[j]!, at(k)[INPUTS]!),
        ),
      pull: (x, upstream) =>
        Float64Array.from(x, (_, j) => SLOPE * upstream.reduce((sum, g, k) => sum + g * at(k)[j]!, 0)),
    },
  );
  return {
    ...frozen,
    saved,
    async update(points, loss) {
      const scores = await frozen.scores(points);
      const evaluated = evaluateLoss(loss, scores);
      const slope = new Float64Array(size);
      for (let i = 0; i < rows(points); i++) {
        row(evaluated.scoresGradient, i).forEach((g, k) => {
          row(points, i).forEach(
            (value, j) => (slope[k * (INPUTS + 1) + j]! += (g * scaled(value)) / rows(points)),
          );
          slope[k * (INPUTS + 1) + INPUTS]! += g / rows(points);
        });
      }
      for (let j = 0; j < size; j++) {
        velocity[j] = MOMENTUM * velocity[j]! + slope[j]!;
        weights[j]! -= RATE * velocity[j]!;
      }
      return { scores, loss: evaluated.loss };
    },
    async state(): Promise<ModelState> {
      return {
        weights: { w: tensor(weights.slice(), [CLASSES, INPUTS + 1]) },
        memory: { w: tensor(velocity.slice(), [CLASSES, INPUTS + 1]) },
      };
    },
    async restore(state) {
      weights.set(state.weights['w']!.data);
      velocity.fill(0);
      if (state.memory !== undefined) velocity.set(state.memory['w']!.data);
    },
    async initialise(seed) {
      const random = stream('trainable toy weights', seed);
      weights.forEach((_, j) => (weights[j] = 0.01 * random.normal()));
      velocity.fill(0);
    },
    async save(path, provenance) {
      saved.set(path, { provenance, weights: weights.slice() });
    },
    close: async () => undefined,
  };
}
