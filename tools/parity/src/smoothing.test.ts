import { defend, type LabelModel, parseOptions } from '@gauntlet/core';
import smoothing from '@gauntlet/defence-smoothing';
import certifiedAccuracy from '@gauntlet/metric-certified-accuracy';
import { stream } from '@gauntlet/tensor';
import { madeCertified } from '@gauntlet/testing';
import { open, record, type Subject } from './subject.js';

/** Of the recorded digits, as many are certified here. */
const SAMPLES = 30;

const recorded = record<
  {
    readonly [option in 'sigma' | 'n0' | 'n' | 'alpha']: number;
  } & { readonly certified: Record<string, number>; readonly answers: number[]; readonly radii: number[] }
>('fixtures/peers/smoothing.json');
const { answers, radii } = recorded;

describe('smoothing of the standard digit model', () => {
  let subject: Subject;
  beforeAll(async () => {
    subject = await open('examples/digits/digits.onnx', 'fixtures/digits/test500.npz', {}, SAMPLES);
  });
  afterAll(() => subject.model.close());

  it("certifies what Cohen's code certifies", async () => {
    const { sigma, n0, n, alpha } = recorded;
    const options = await parseOptions(smoothing.options, { sigma, n0, n, alpha }, smoothing.id);
    const random = [...Array(SAMPLES).keys()].map((i) => stream('parity', i));
    const found = await smoothing.certificate!.certify({
      ...{ models: [subject.model], model: subject.model, noise: () => [], random, options },
      ...{ x: subject.x, answers: Int32Array.from(answers.slice(0, SAMPLES)), box: [0, 1] },
      ...{ norm: 'l2', epsilon: 1, signal: new AbortController().signal },
    });
    const ours = found.map((one) => (one.outcome === 'robust' ? one.radius : 0));
    const mean = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0) / SAMPLES;
    expect(mean(ours) / mean(radii.slice(0, SAMPLES))).toBeCloseTo(1, 1);
    // A share of 1000 draws has a standard deviation of 0.016 at most: of radii near a half, that is 0.05.
    ours.forEach((radius, i) => expect(Math.abs(radius - radii[i]!)).toBeLessThan(0.15));
  });

  it('answers as the model does, where it does not abstain', async () => {
    const options = await parseOptions(smoothing.options, {}, smoothing.id);
    const labels = await (defend([subject.model], [{ defence: smoothing, options }]) as LabelModel).labels(
      subject.x,
    );
    const right = labels.filter((label, i) => label === subject.y[i]).length;
    expect(right).toBeGreaterThanOrEqual(SAMPLES - 2);
  });
});

it('the metric finds the certified accuracy that NumPy finds', async () => {
  const { model, y } = await open(
    'examples/digits/digits.onnx',
    'fixtures/digits/test500.npz',
    {},
    radii.length,
  );
  await model.close();
  const epsilons = Object.keys(recorded.certified).map(Number);
  const certificates = epsilons.flatMap((epsilon) =>
    radii.map((radius, sample) =>
      madeCertified({
        ...{ sample, epsilon, norm: 'l2', label: y[sample]!, answer: answers[sample]! },
        certificate: radius > 0 ? { outcome: 'robust', radius } : { outcome: 'unknown', why: 'it abstains' },
      }),
    ),
  );
  const { at } = certifiedAccuracy.over(certificates);
  expect(Object.fromEntries(at.map(({ epsilon, certified }) => [epsilon, certified]))).toEqual(
    recorded.certified,
  );
});
