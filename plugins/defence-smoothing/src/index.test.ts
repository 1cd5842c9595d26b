import {
  ABSTAIN,
  type Certificate,
  type CertifierJob,
  type LabelModel,
  type WrapperJob,
} from '@gauntlet/core';
import { clopperPearson, normalQuantile } from '@gauntlet/kit';
import { rows, stream, take, type Tensor } from '@gauntlet/tensor';
import { linearToy, testWrapper, wrapperChecks } from '@gauntlet/testing';
import smoothing from './index.js';

const quick = { sigma: 0.03, n0: 50, n: 100, alpha: 0.001, m: 5 };

testWrapper(smoothing, { options: quick });

it('has the gradient of the scores that it gives, as differences say', async () => {
  const check = wrapperChecks['has the gradient of its loss, as differences say, where it is exact']!;
  await check({ defence: { ...smoothing, backward: 'exact' }, options: quick });
});

const { model, x, y, distance } = linearToy({ samples: 30 });

/** What the proof and the wrapper are handed: a model that gives labels only, and its samples. */
function job(labels: (points: Tensor) => Int32Array | Promise<Int32Array>, options: typeof quick) {
  const inner: LabelModel = { ...model, access: 'labels', labels: async (points) => labels(points) };
  const random = (key: string) => (of: readonly number[]) => of.map((i) => stream(key, i));
  const { signal } = new AbortController();
  return {
    ...{
      models: [inner] as const,
      model: inner,
      noise: random('answers'),
      random: random('proof')([...y.keys()]),
    },
    ...{ x, answers: y, norm: 'l2' as const, epsilon: 1, box: [0, 1] as const, options, signal },
  } satisfies WrapperJob & CertifierJob;
}

const radius = (one: Certificate | undefined) => (one?.outcome === 'robust' ? one.radius : 0);

describe('a certificate', () => {
  it('of a linear model is the known distance, less what the draws leave open', async () => {
    const options = { ...quick, sigma: 0.1, n: 1000 };
    const found = await smoothing.certificate!.certify(job(model.labels, options));
    const wanted = [...y.keys()].map((i) => {
      // As many draws agree as the distribution of the margin says: Phi(distance / sigma).
      const agreeing = Math.round(options.n * normal(distance(i, 'l2') / options.sigma));
      const bound = clopperPearson(agreeing, options.n, 1 - 2 * options.alpha)[0];
      return bound > 0.5 ? options.sigma * normalQuantile(bound) : 0;
    });
    const total = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0);
    expect(total(found.map(radius)) / total(wanted)).toBeCloseTo(1, 1);
    found.forEach((one, i) => expect(radius(one)).toBeLessThanOrEqual(distance(i, 'l2')));
  });

  it('of a model that never doubts is the largest that its words name', async () => {
    const options = { ...quick, sigma: 0.25 };
    const [first] = await smoothing.certificate!.certify(
      job((points) => new Int32Array(rows(points)).fill(y[0]!), options),
    );
    expect(radius(first)).toBeCloseTo(0.25 * normalQuantile(0.001 ** 0.01), 12);
    expect(smoothing.certificate!.words(options)).toBe(
      `Each certificate is wrong with probability 0.001 at most; 100 draws at sigma 0.25 certify up to ${radius(first).toPrecision(3)}.`,
    );
  });

  it.each([
    ['it abstains', y.map(() => ABSTAIN)],
    ['most draws give another class than its answer', y.map((label) => 1 - label)],
  ])('is none where %s', async (why, answers) => {
    const found = await smoothing.certificate!.certify({ ...job(() => y, quick), answers, x, ...sure() });
    expect(found).toEqual(Array.from(y, () => ({ outcome: 'unknown', why })));
  });

  it('is none where draws are split', async () => {
    const found = await smoothing.certificate!.certify(job(coin(), quick));
    expect(found.map(radius).filter((one) => one > 0)).toEqual([]);
  });
});

describe('an answer', () => {
  it('is that of the model far from its boundary', async () => {
    const wrapped = smoothing.wrap(job(model.labels, { ...quick, sigma: 0.01 })) as LabelModel;
    const far = [...y.keys()].filter((i) => distance(i, 'l2') > 0.05);
    expect(await wrapped.labels(take(x, far))).toEqual(Int32Array.from(far, (i) => y[i]!));
  });

  it('is none where draws are split', async () => {
    const wrapped = smoothing.wrap(job(coin(), quick)) as LabelModel;
    expect(new Set(await wrapped.labels(x))).toEqual(new Set([ABSTAIN]));
  });
});

/** A model whose labels are those of the samples, whatever the noise. */
const sure = () => {
  const labels = async (points: Tensor, { of = [] as readonly number[] } = {}) =>
    Int32Array.from({ length: rows(points) }, (_, k) => y[of[k]!]!);
  return { models: [{ ...model, access: 'labels' as const, labels }] as const };
};

/** A model that answers by tossing a coin. */
const coin = () => {
  const random = stream('coin');
  return (points: Tensor) => Int32Array.from({ length: rows(points) }, () => random.integer(2));
};

/** The distribution function of the standard normal, by bisection of its quantile. */
function normal(z: number): number {
  let [lo, hi] = [0, 1];
  for (let step = 0; step < 60; step++) {
    const middle = (lo + hi) / 2;
    if (normalQuantile(middle) < z) lo = middle;
    else hi = middle;
  }
  return lo;
}
