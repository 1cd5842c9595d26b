import apgd from '@gauntlet/attack-apgd';
import cw from '@gauntlet/attack-cw';
import deepfool from '@gauntlet/attack-deepfool';
import hopSkipJump from '@gauntlet/attack-hop-skip-jump';
import pgd from '@gauntlet/attack-pgd';
import square from '@gauntlet/attack-square';
import { broken, nearest, open, record, type Subject } from './subject.js';

/** Distances per sample: 0 misclassified, null not broken, -1 an all-zero image. */
type Distances = Record<string, (number | null)[]>;
type Broken = Record<string, { readonly eps: number; readonly broken: number[] }[]>;

/** Of the recorded digits, as many are attacked here. */
const SAMPLES = 150;

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Compares every attack with what its peer found on a model; a file for each model, so that they run side by side. */
export const compareKinds = (name: 'digits' | 'robust', path: string) =>
  describe(`on the model ${name}`, () => {
    let subject: Subject;
    beforeAll(async () => void (subject = await open(path, 'fixtures/digits/test500.npz', {}, SAMPLES)));
    afterAll(() => subject.model.close());

    it('PGD on another model transfers as often as momentum FGSM of torchattacks does', async () => {
      const { model: surrogate } = await open('fixtures/models/mlp.onnx', 'fixtures/digits/test500.npz');
      const recorded = record<Record<string, { readonly eps: number; readonly robust_accuracy: number }[]>>(
        'fixtures/peers/transfer.json',
      );
      const { eps, robust_accuracy } = recorded[name]![1]!;
      const lost = await broken(subject, pgd, { norm: 'linf', epsilon: eps, surrogate });
      // Of other digits than these, too, and without momentum: within a tenth.
      expect(1 - lost.length / SAMPLES).toBeLessThan(robust_accuracy + 0.1);
      await surrogate.close();
    });

    it('C&W finds points as near as Foolbox does, or nearer', async () => {
      const order = Array.from({ length: 12 }, (_, k) => 8 * k);
      const theirs = record<Distances>('fixtures/peers/cw.json')[`${name} l2`]!;
      const ours = await nearest(subject, cw, { norm: 'l2', order });
      const ratios = order.flatMap((i, k) => (theirs[i]! > 0 ? [ours[k]! / theirs[i]!] : []));
      expect(ratios.length).toBeGreaterThan(8);
      expect(Math.max(...ratios)).toBeLessThan(1.1);
      expect(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toBeLessThan(1.01);
    });

    it.each(['l2', 'linf'] as const)(
      'HopSkipJump in %s finds points as near as Foolbox does',
      async (norm) => {
        const theirs = record<Distances>('fixtures/peers/hop-skip-jump.json')[`${name} ${norm}`]!;
        const order = Array.from({ length: 8 }, (_, k) => 3 * k);
        const ours = await nearest(subject, hopSkipJump, { norm, order, options: { steps: 16 } });
        const ratios = order.flatMap((i, k) => (theirs[i]! > 0 ? [ours[k]! / theirs[i]!] : []));
        // After half of its steps.
        expect(median(ratios)).toBeLessThan(1.2);
      },
    );

    it.each(['linf', 'l2'] as const)('Square in %s is as strong as that of torchattacks', async (norm) => {
      const { eps, broken: theirs } = record<Broken>('fixtures/peers/square.json')[`${name} ${norm}`]![1]!;
      const order = [...Array(60).keys()];
      const ours = await broken(subject, square, { norm, epsilon: eps, order, options: { queries: 1000 } });
      // Both are random: on 60 digits seeds differ by two or so.
      expect(ours.length).toBeGreaterThanOrEqual(theirs.filter((i) => i < 60).length - 3);
    });

    it.each(['l2', 'linf'] as const)('DeepFool in %s finds what Foolbox finds', async (norm) => {
      const theirs = record<Distances>('fixtures/peers/deepfool.json')[`${name} ${norm}`]!.slice(0, SAMPLES);
      const ours = await nearest(subject, deepfool, { norm });
      const both = theirs.flatMap((far, i) => (far && ours[i]! < Infinity ? [[ours[i]!, far] as const] : []));
      expect(both.length).toBeGreaterThanOrEqual(theirs.filter((far) => far).length - 2);
      expect(median(both.map(([own, other]) => own / other))).toBeCloseTo(1, 2);
      const mean = (which: 0 | 1) => both.reduce((sum, pair) => sum + pair[which], 0) / both.length;
      expect(mean(0)).toBeLessThanOrEqual(1.005 * mean(1));
    });

    describe.each(['ce', 'dlr'])('APGD with %s', (loss) => {
      it.each(['linf', 'l2'] as const)('in %s is as strong as that of torchattacks', async (norm) => {
        const { eps, broken: theirs } =
          record<Broken>('fixtures/peers/apgd.json')[`${name} ${loss} ${norm}`]![1]!;
        const among = theirs.filter((i) => i < SAMPLES);
        const ours = await broken(subject, apgd, { norm, epsilon: eps, options: { loss } });
        expect(ours.length).toBeGreaterThanOrEqual(among.length - 2);
      });
    });
  });
