import {
  checkLoss,
  GauntletError,
  type GradientModel,
  lossAt,
  type ModelFacts,
  type ScoreModel,
} from '@gauntlet/core';
import { argmax, rows, rowSize, type Tensor, tensor } from '@gauntlet/tensor';
import type * as Tfjs from '@tensorflow/tfjs';
import type { Forward } from './forward.js';
import { compileLoss } from './loss.js';
import type { Tf } from './runtime.js';

/** The most points of one call of tfjs: larger ones take memory and save no time. */
const MOST = 256;

/** A model's scores [n, classes] as a function of points in raw units, to be called within `tf.tidy`. */
export type Scores = (points: Tfjs.Tensor) => Tfjs.Tensor2D;

/** Scores as [n, classes], whatever shape the model gives them; one logit z becomes [0, z]. */
export const asScores =
  (tf: Tf, forward: Forward): Scores =>
  (points) => {
    const flat = tf.reshape(forward(points), [points.shape[0]!, -1]) as Tfjs.Tensor2D;
    return flat.shape[1] === 1 ? tf.concat([tf.zerosLike(flat), flat], 1) : flat;
  };

/** Answers with labels and scores. Every call leaves as many tensors behind as there were before. */
export function scoring(tf: Tf, facts: Omit<ModelFacts, 'access'>, scores: Scores): ScoreModel {
  const all = async (points: Tensor): Promise<Tensor> => {
    const found = new Float32Array(rows(points) * facts.classes);
    for (const part of parts(points, facts)) {
      tf.tidy(() => found.set(scores(tensorOf(tf, part)).dataSync(), part.from * facts.classes));
    }
    return tensor(found, [rows(points), facts.classes]);
  };
  return { ...facts, access: 'scores', labels: async (points) => argmax(await all(points)), scores: all };
}

/** Differentiates losses as well: scores, loss and gradient in one pass. */
export function differentiating(tf: Tf, model: ScoreModel, scores: Scores): GradientModel {
  return {
    ...model,
    access: 'gradients',
    async gradient(points, loss) {
      checkLoss(loss, rows(points), model.classes);
      const size = rowSize(points);
      const found = new Float32Array(rows(points) * model.classes);
      const losses = new Float32Array(rows(points));
      const gradient = new Float32Array(points.data.length);
      for (const part of parts(points, model)) {
        const own = part.whole ? loss : lossAt(loss, part.places);
        tf.tidy(() => {
          const slope = tf.grad((x: Tfjs.Tensor) => {
            const made = scores(x);
            const values = compileLoss(tf, made, own);
            found.set(made.dataSync(), part.from * model.classes);
            losses.set(values.dataSync(), part.from);
            return tf.sum(values);
          });
          gradient.set(slope(tensorOf(tf, part)).dataSync(), part.from * size);
        });
      }
      return {
        scores: tensor(found, [rows(points), model.classes]),
        loss: losses,
        gradient: tensor(gradient, points.shape),
      };
    },
  };
}

interface Part {
  readonly from: number;
  readonly whole: boolean;
  readonly places: readonly number[];
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** A call's points in pieces. @throws GauntletError `input` for points that are none of this model. */
function parts(points: Tensor, { name, input }: Pick<ModelFacts, 'name' | 'input'>): Part[] {
  const [, ...shape] = points.shape;
  if (String(shape) !== String(input.shape)) {
    throw new GauntletError(
      'input',
      `Unexpected samples of shape [${shape}] at ${name}, expected [${input.shape}]. Reshape the data, or use another model.`,
    );
  }
  const [count, size] = [rows(points), rowSize(points)];
  return Array.from({ length: Math.ceil(count / MOST) }, (_, i) => {
    const from = i * MOST;
    const to = Math.min(count, from + MOST);
    return {
      from,
      whole: to - from === count,
      places: Array.from({ length: to - from }, (_, k) => from + k),
      data: points.data.subarray(from * size, to * size),
      shape: [to - from, ...shape],
    };
  });
}

const tensorOf = (tf: Tf, { data, shape }: Part): Tfjs.Tensor => tf.tensor(data, [...shape]);
