import {
  checkLoss,
  defineAdapter,
  type Gradient,
  GauntletError,
  type Loss,
  type OpenModel,
  unexpected,
} from '@gauntlet/core';
import { evaluateLoss } from '@gauntlet/kit';
import { argmax, like, type Tensor } from '@gauntlet/tensor';
import { adapterChecks, type AdapterSubject } from './adapter.js';

/** The identity, on the host. */
const identity: AdapterSubject['identity'] = async (classes, shift) => {
  let closed = false;
  const scoresOf = (points: Tensor): Tensor => {
    if (closed) throw new GauntletError('internal', 'Unexpected call after close().');
    if (points.shape[1] !== classes) throw new GauntletError('input', 'Unexpected samples.');
    return like(
      points,
      points.data.map((value) => value + shift),
    );
  };
  return {
    name: 'identity',
    input: { shape: [classes], bounds: [-1000, 1000] },
    classes,
    access: 'gradients',
    labels: async (points) => argmax(scoresOf(points)),
    scores: async (points) => scoresOf(points),
    async gradient(points, loss) {
      checkLoss(loss, points.shape[0]!, classes);
      const scores = scoresOf(points);
      const { loss: values, scoresGradient } = evaluateLoss(loss, scores);
      return { scores, loss: values, gradient: scoresGradient };
    },
    close: async () => void (closed = true),
  };
};

const sound: AdapterSubject = {
  adapter: defineAdapter({
    id: 'adapter/test',
    engine: 'host',
    summary: 'For tests.',
    opens: (path) => path.endsWith('.test'),
    async open(path) {
      throw unexpected({ found: 'missing file', at: path, expected: 'one', remedy: 'Check it.' });
    },
  }),
  identity,
};

type Model = OpenModel<'gradients'>;
const but = (change: (model: Model) => Partial<Model>): AdapterSubject => ({
  ...sound,
  identity: async (...given) => {
    const model = await identity(...given);
    return { ...model, ...change(model) };
  },
});
const gradientBut = (change: (found: Gradient, points: Tensor, loss: Loss) => Partial<Gradient>) =>
  but((model) => ({
    async gradient(points, loss) {
      const found = await model.gradient(points, loss);
      return { ...found, ...change(found, points, loss) };
    },
  }));

let running = 0;

const BROKEN: Record<keyof typeof adapterChecks, AdapterSubject> = {
  'says who it is': { ...sound, adapter: { ...sound.adapter, opens: () => true } },
  'refuses a file that is not there': {
    ...sound,
    adapter: { ...sound.adapter, open: () => Promise.reject(new Error('ENOENT')) },
  },
  'says what its models are': but(() => ({ classes: 10 })),
  'gives scores, and the first of the largest as label': but((model) => ({
    labels: async (points) => (await model.labels(points)).map((_, i) => argmax(points)[i]! || 4),
  })),
  'computes every term of losses as the host does': gradientBut((found, _, { term }) =>
    term.op === 'softCrossEntropy' ? { loss: found.loss.map((value) => 3 * value) } : {},
  ),
  'keeps the precision of cross-entropy where the softmax saturates': gradientBut(({ gradient }) => ({
    // As softmax less one-hot, in float32.
    gradient: like(
      gradient,
      gradient.data.map((value) => Math.fround(1 + value) - 1),
    ),
  })),
  'treats each point by itself, in batches of any size': gradientBut(({ gradient }, points) => ({
    gradient: like(
      gradient,
      gradient.data.map((value) => value / points.shape[0]!),
    ),
  })),
  'answers calls that overlap': but((model) => ({
    async gradient(points, loss) {
      const own = ++running;
      await new Promise((resolve) => setTimeout(resolve, 1));
      const found = await model.gradient(points, loss);
      return own === running ? found : { ...found, loss: found.loss.map(() => 0) };
    },
  })),
  'leaves points and earlier answers alone': but((model) => ({
    gradient: async (points, loss) => ({ ...(await model.gradient(points, loss)), scores: points }),
  })),
  'refuses what it cannot answer': but((model) => ({
    scores: async (points) => (points.shape[1] === 5 ? model.scores(points) : points),
  })),
  'refuses calls after it was closed, and may be closed again': but(() => ({ close: async () => undefined })),
};

describe.each(Object.entries(adapterChecks))('the check "%s"', (name, check) => {
  it('lets a sound adapter pass', async () => {
    await check(sound);
  });

  it('catches a broken one', async () => {
    await expect(check(BROKEN[name]!)).rejects.toThrow(/^Unexpected /);
  });
});
