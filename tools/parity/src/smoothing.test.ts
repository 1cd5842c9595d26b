import { defend, type LabelModel, parseOptions } from '@gauntlet/core';
import smoothing from '@gauntlet/defence-smoothing';
import { stream } from '@gauntlet/tensor';
import { open, record, type Subject } from './subject.js';

/** Of the recorded digits, as many are certified here. */
const SAMPLES = 30;

describe('smoothing of the standard digit model', () => {
  let subject: Subject;
  beforeAll(async () => {
    subject = await open('examples/digits/digits.onnx', 'fixtures/digits/test500.npz', {}, SAMPLES);
  });
  afterAll(() => subject.model.close());

  it("certifies what Cohen's code certifies", async () => {
    const { answers, radii, ...recorded } = record<{ answers: number[]; radii: number[]; sigma: number }>(
      'fixtures/peers/smoothing.json',
    );
    const options = await parseOptions(smoothing.options, recorded, smoothing.id);
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
    const answers = await (defend([subject.model], [{ defence: smoothing, options }]) as LabelModel).labels(
      subject.x,
    );
    const right = answers.filter((label, i) => label === subject.y[i]).length;
    expect(right).toBeGreaterThanOrEqual(SAMPLES - 2);
  });
});
