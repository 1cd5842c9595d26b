import fgsm from '@gauntlet/attack-fgsm';
import pgd from '@gauntlet/attack-pgd';
import { defend, type OpenModel } from '@gauntlet/core';
import ensemble from '@gauntlet/defence-ensemble';
import { broken, open, record, type Subject } from './subject.js';

const DIGITS = 'fixtures/digits/test500.npz';

describe('an ensemble', () => {
  let standard: Subject;
  let hardened: Subject;
  beforeAll(async () => {
    standard = await open('examples/digits/digits.onnx', DIGITS);
    hardened = await open('examples/digits/hardened.onnx', DIGITS, {}, 100);
  });
  afterAll(() => Promise.all([standard.model.close(), hardened.model.close()]));

  const together = (mean: string, first: Subject, other: Subject): Subject => ({
    ...first,
    model: defend(
      [first.model, other.model],
      [{ defence: ensemble, options: { mean } }],
    ) as OpenModel<'gradients'>,
  });

  it.each(['probabilities', 'logits'])(
    'of a model and itself, by %s, is broken by FGSM at the digits that Foolbox breaks of the model, to the last one',
    async (mean) => {
      const { eps, broken: theirs } = record<{ eps: number[]; broken: Record<string, number[][]> }>(
        'fixtures/peers/fgsm.json',
      );
      const ours = await broken(together(mean, standard, standard), fgsm, { norm: 'linf', epsilon: eps[2]! });
      expect(ours).toEqual(theirs['foolbox_float64']![2]);
    },
  );

  it('of the hardened and the standard model loses what the README says', async () => {
    const order = [...Array(100).keys()];
    const lost = async (subject: Subject) =>
      (await broken(subject, pgd, { norm: 'linf', epsilon: 0.1, order })).length;
    // Trajectories fork by rounding: a digit or two may change sides.
    expect(Math.abs((await lost(together('probabilities', hardened, standard))) - 53)).toBeLessThanOrEqual(2);
    expect(Math.abs((await lost(hardened)) - 17)).toBeLessThanOrEqual(2);
  });
});
