import pgd from '@gauntlet/attack-pgd';
import { defend, type OpenModel, parseOptions } from '@gauntlet/core';
import jpeg from '@gauntlet/defence-jpeg';
import { broken, open, type Subject } from './subject.js';

const SAMPLES = 200;

describe('JPEG 75 before the standard digit model', () => {
  let plain: Subject;
  let defended: Subject;
  beforeAll(async () => {
    plain = await open('examples/digits/digits.onnx', 'fixtures/digits/test500.npz', {}, SAMPLES);
    const options = await parseOptions(jpeg.options, {}, jpeg.id);
    const model = defend([plain.model], [{ defence: jpeg, options }]) as OpenModel<'gradients'>;
    defended = { ...plain, model, clean: await model.labels(plain.x) };
  });
  afterAll(() => plain.model.close());

  /** Robust accuracy under PGD with its defaults, in linf at 0.15. */
  const accuracy = async (subject: Subject, surrogate?: Subject['model']) => {
    const trial = { norm: 'linf', epsilon: 0.15 } as const;
    const lost = await broken(subject, pgd, surrogate ? { ...trial, surrogate, static: true } : { ...trial });
    return 1 - lost.length / SAMPLES;
  };

  it('gives back what a static evaluation sees, and BPDA takes it away again', async () => {
    const undefended = await accuracy(plain);
    const found = await accuracy(defended, plain.model);
    const adaptive = await accuracy(defended);
    const gain = found - undefended;
    expect(gain).toBeGreaterThan(0.1);
    expect((found - adaptive) / gain).toBeGreaterThan(0.9);
    // What the README says: 1.5%, 46.5% and 2.0%.
    expect(Math.abs(undefended - 0.015)).toBeLessThanOrEqual(0.01);
    expect(Math.abs(found - 0.465)).toBeLessThanOrEqual(0.03);
    expect(Math.abs(adaptive - 0.02)).toBeLessThanOrEqual(0.01);
  });
});
