import { readFile } from 'node:fs/promises';
import {
  checkLoss,
  defineAdapter,
  type GradientModel,
  type Loss,
  type ModelSettings,
  type OpenModel,
  unexpected,
} from '@gauntlet/core';
import { evaluateLoss } from '@gauntlet/kit';
import { argmax, like, row, rows, type Tensor, tensor } from '@gauntlet/tensor';
import { z } from 'zod';

/** A linear classifier as a JSON file: scores = weights x + bias. */
const LinearModel = z.strictObject({
  weights: z.array(z.array(z.number()).min(1)).min(2),
  bias: z.array(z.number()),
});

/** Opens linear classifiers in files that end with .linear. Write here which models yours opens, and with what. */
export default defineAdapter({
  id: 'adapter/__NAME__',
  summary: 'Linear classifiers in JSON.',
  engine: '__NAME__',
  opens: (path) => path.endsWith('.linear'),
  open,
});

async function open(path: string, { bounds, mean, std }: ModelSettings): Promise<OpenModel<'gradients'>> {
  const refuse = (found: string, expected: string, cause?: unknown) =>
    unexpected({ found, at: path, expected, remedy: 'Pass another file.' }, { cause });
  if (mean ?? std) throw refuse('mean or std', 'a model without them');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw refuse('unreadable file', 'a .linear file', cause);
  });
  const parsed = LinearModel.safeParse(jsonOf(text));
  if (!parsed.success) throw refuse('file of another form', 'weights and bias', parsed.error);
  const { weights, bias } = parsed.data;
  const inputs = weights[0]!.length;
  if (bias.length !== weights.length || weights.some((one) => one.length !== inputs)) {
    throw refuse('weights and bias of different sizes', 'a row of weights and a bias for each class');
  }
  return closable({ name: path, ...linear(weights, bias), input: { shape: [inputs], bounds } });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function linear(weights: readonly (readonly number[])[], bias: readonly number[]) {
  const classes = bias.length;
  const inputs = weights[0]!.length;
  const scores = async (points: Tensor) => {
    if (points.data.length !== rows(points) * inputs) {
      throw unexpected({
        found: `points of shape [${points.shape}]`,
        at: 'adapter/__NAME__',
        expected: `[n, ${inputs}]`,
        remedy: 'Pass points of this shape.',
      });
    }
    const found = tensor(new Float32Array(rows(points) * classes), [rows(points), classes]);
    for (let i = 0; i < rows(points); i++) {
      const x = row(points, i);
      weights.forEach((own, k) => (row(found, i)[k] = x.reduce((sum, v, j) => sum + v * own[j]!, bias[k]!)));
    }
    return found;
  };
  return {
    classes,
    access: 'gradients' as const,
    scores,
    labels: async (points: Tensor) => argmax(await scores(points)),
    async gradient(points: Tensor, loss: Loss) {
      checkLoss(loss, rows(points), classes);
      const found = await scores(points);
      const evaluated = evaluateLoss(loss, found);
      const gradient = like(points);
      for (let i = 0; i < rows(points); i++) {
        const upstream = row(evaluated.scoresGradient, i);
        weights.forEach((own, k) => own.forEach((w, j) => (row(gradient, i)[j]! += upstream[k]! * w)));
      }
      return { scores: found, loss: evaluated.loss, gradient };
    },
  };
}

/** A model that answers until it is closed. */
function closable(model: GradientModel): OpenModel<'gradients'> {
  let open = true;
  const guard =
    <Args extends unknown[], R>(call: (...args: Args) => Promise<R>) =>
    async (...args: Args): Promise<R> => {
      if (open) return call(...args);
      throw unexpected({
        found: 'call after close()',
        at: model.name,
        expected: 'an open model',
        remedy: 'Open it again.',
        code: 'internal',
      });
    };
  return {
    ...model,
    labels: guard(model.labels),
    scores: guard(model.scores),
    gradient: guard(model.gradient),
    close: async () => void (open = false),
  };
}
