import { ABSTAIN, type Certificate, defineWrapper, type LabelModel } from '@gauntlet/core';
import { clopperPearson, meanModel, normalQuantile } from '@gauntlet/kit';
import { row, rows, rowSize, type Stream, take, type Tensor } from '@gauntlet/tensor';
import { z } from 'zod';

/** So many numbers are made for one call of the model, at most. */
const AT_ONCE = 2 ** 22;

/**
 * Randomised smoothing (Cohen et al. 2019): answers the class that the model gives most often under Gaussian noise. Votes have no
 * gradient: scores and gradients are those of the mean probabilities over draws (Salman et al. 2019, equation 6).
 */
export default defineWrapper({
  id: 'defence/smoothing',
  summary: 'Answers what a model answers most often under Gaussian noise, and certifies it.',
  cites: ['arXiv:1902.02918', 'arXiv:1906.04584'],
  backward: 'substitute',
  models: 'one',
  random: true,
  options: z.strictObject({
    sigma: z
      .number()
      .positive()
      .default(0.25)
      .describe('standard deviation of the noise, in the units of inputs'),
    n0: z.int().min(1).max(1e6).default(100).describe('draws that an answer is chosen by'),
    n: z.int().min(1).max(1e6).default(1000).describe('draws that a certificate is found from'),
    alpha: z
      .number()
      .positive()
      .max(0.5)
      .default(0.001)
      .describe('chance that an answer or a certificate is wrong'),
    m: z.int().min(1).max(10_000).default(20).describe('draws that scores and gradients are averaged over'),
  }),

  wrap({ models: [model], options: { sigma, n0, alpha, m }, noise }) {
    const { name, input, classes, access } = model;
    const soft = meanModel({ name, input, classes, access }, 'probabilities', (points, of) => {
      const [random, everyone] = [noise(of), [...of.keys()]];
      return Array.from({ length: m }, () => ({ model, points: noisy(points, everyone, sigma, random) }));
    });
    /** PREDICT of Cohen et al., section 3.2.1: abstains unless a two-sided binomial test tells the two classes with most votes apart. */
    const labels: LabelModel['labels'] = async (x, { of = [...Array(rows(x)).keys()] } = {}) => {
      const counts = await votes({ model: model as LabelModel, x, of, sigma, random: noise(of) }, n0);
      return Int32Array.from(counts, (own) => {
        const [first = 0, second = 0] = own.toSorted((a, b) => b - a);
        return clopperPearson(first, first + second, 1 - alpha)[0] > 0.5 ? own.indexOf(first) : ABSTAIN;
      });
    };
    return { ...soft, labels, votes: true };
  },

  certificate: {
    norms: ['l2'],
    finds: 'largest',
    words({ sigma, n, alpha }) {
      const most = sigma * normalQuantile(alpha ** (1 / n));
      return `Each certificate is wrong with probability ${alpha} at most; ${n} draws at sigma ${sigma} certify up to ${most.toPrecision(3)}.`;
    },
    /** CERTIFY of Cohen et al., section 3.2.2. */
    async certify({ models: [model], x, answers, options: { sigma, n0, n, alpha }, random, signal }) {
      const all = { model: model as LabelModel, x, of: [...answers.keys()], sigma, random, signal };
      // One after the other: which class is certified must not depend on the draws that certify it.
      const chosen = await votes(all, n0);
      const counted = await votes(all, n);
      return Array.from(answers, (answer, i): Certificate => {
        const top = chosen[i]!.indexOf(Math.max(...chosen[i]!));
        const bound = clopperPearson(counted[i]![top]!, n, 1 - 2 * alpha)[0];
        if (answer === ABSTAIN) return { outcome: 'unknown', why: 'it abstains' };
        if (answer !== top)
          return { outcome: 'unknown', why: 'most draws give another class than its answer' };
        if (bound > 0.5) return { outcome: 'robust', radius: sigma * normalQuantile(bound) };
        return { outcome: 'unknown', why: 'too few draws agree' };
      });
    },
  },
});

interface Vote {
  readonly model: LabelModel;
  readonly x: Tensor;
  /** Which sample each point belongs to. */
  readonly of: readonly number[];
  readonly sigma: number;
  /** A stream for each point. */
  readonly random: readonly Stream[];
  readonly signal?: AbortSignal;
}

/** How often each class is given to each point, in so many draws of noise. */
async function votes({ model, x, of, sigma, random, signal }: Vote, draws: number): Promise<Int32Array[]> {
  const counts = of.map(() => new Int32Array(model.classes));
  const [all, most] = [rows(x) * draws, Math.max(1, Math.floor(AT_ONCE / rowSize(x)))];
  for (let from = 0; from < all; from += most) {
    signal?.throwIfAborted();
    const places = Array.from({ length: Math.min(most, all - from) }, (_, k) =>
      Math.floor((from + k) / draws),
    );
    const points = noisy(x, places, sigma, random);
    const labels = await model.labels(points, { of: places.map((i) => of[i]!) });
    labels.forEach((label, k) => {
      if (label !== ABSTAIN) counts[places[k]!]![label]!++;
    });
  }
  return counts;
}

/** The points at these places, each with fresh noise of its own. */
function noisy(x: Tensor, places: readonly number[], sigma: number, random: readonly Stream[]): Tensor {
  const points = take(x, places);
  places.forEach((place, k) => {
    const [own, stream] = [row(points, k), random[place]!];
    for (let j = 0; j < own.length; j++) own[j]! += sigma * stream.normal();
  });
  return points;
}
