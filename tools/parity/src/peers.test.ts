import fgsm from '@gauntlet/attack-fgsm';
import pgd from '@gauntlet/attack-pgd';
import type { BallNorm } from '@gauntlet/tensor';
import { broken, open, record, type Subject } from './subject.js';

interface FgsmRecord {
  readonly eps: number[];
  readonly broken: Record<
    'foolbox' | 'torchattacks' | 'art' | 'foolbox_float64' | 'torchattacks_float64',
    number[][]
  >;
}

type PgdRow = { readonly eps: number } & Partial<Record<'foolbox' | 'torchattacks' | 'art', number[]>>;

interface PgdRecord {
  readonly steps: number;
  readonly samples: number;
  readonly robust_accuracy: Record<BallNorm, PgdRow[]>;
}

describe.each([
  ['the standard digit model', 'examples/digits/digits.onnx', ''],
  ['the adversarially trained digit model', 'fixtures/models/digits-robust.onnx', 'robust-'],
])('on %s', (_, path, prefix) => {
  const recorded = {
    fgsm: record<FgsmRecord>(`fixtures/peers/${prefix}fgsm.json`),
    pgd: record<PgdRecord>(`fixtures/peers/${prefix}pgd.json`),
  };
  let subject: Subject;
  beforeAll(async () => void (subject = await open(path, 'fixtures/digits/test500.npz')));
  afterAll(() => subject.model.close());

  it.each(recorded.fgsm.eps.map((epsilon, i) => [epsilon, i]))(
    'FGSM at %p breaks the digits that Foolbox and torchattacks break in float64, to the last one',
    async (epsilon, i) => {
      const ours = await broken(subject, fgsm, { norm: 'linf', epsilon });
      expect(ours).toEqual(recorded.fgsm.broken.foolbox_float64[i]);
      expect(ours).toEqual(recorded.fgsm.broken.torchattacks_float64[i]);
    },
  );

  it.each(recorded.fgsm.eps.slice(0, 3).map((epsilon, i) => [epsilon, i]))(
    'FGSM at %p breaks the digits that Foolbox, torchattacks and ART break in float32, where no softmax saturates',
    async (epsilon, i) => {
      const ours = await broken(subject, fgsm, { norm: 'linf', epsilon });
      for (const library of ['foolbox', 'torchattacks', 'art'] as const) {
        expect(ours).toEqual(recorded.fgsm.broken[library][i]);
      }
    },
  );

  const mean = (seeds: number[]) => seeds.reduce((a, b) => a + b) / seeds.length;
  const strongest = ({ foolbox, torchattacks, art }: PgdRow) =>
    Math.min(...[foolbox, torchattacks, art].flatMap((seeds) => (seeds ? [mean(seeds)] : [])));

  // The radius at which nearest to half of the digits hold. A library counts with the mean over its seeds, which spread by three digits.
  const telling = (rows: readonly PgdRow[]) =>
    rows.reduce((a, b) => (Math.abs(strongest(b) - 0.5) < Math.abs(strongest(a) - 0.5) ? b : a));
  const rows = (['linf', 'l2', 'l1'] as const).map((norm) => {
    const row = telling(recorded.pgd.robust_accuracy[norm]);
    return [norm, row.eps, row] as const;
  });

  it.each(rows)(
    'PGD in %s at %p is no weaker than the strongest of them at equal steps',
    async (norm, epsilon, row) => {
      const { steps, samples } = recorded.pgd;
      const options = { steps, stepSize: 2.5 / steps };
      const held = samples - (await broken(subject, pgd, { norm, epsilon, options })).length;
      expect(held).toBeLessThanOrEqual(Math.round(strongest(row) * samples) + 3);
    },
  );

  it('PGD with its default options is as strong', async () => {
    const row = recorded.pgd.robust_accuracy.linf[2]!;
    const held =
      recorded.pgd.samples - (await broken(subject, pgd, { norm: 'linf', epsilon: row.eps })).length;
    expect(held).toBeLessThanOrEqual(Math.round(strongest(row) * recorded.pgd.samples) + 3);
  });
});
