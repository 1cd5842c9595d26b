import pgd from '@gauntlet/attack-pgd';
import ibp from '@gauntlet/certifier-ibp';
import { like, row } from '@gauntlet/tensor';
import { broken, open, record, type Subject } from './subject.js';

const SAMPLES = 100;

/** The samples that are right and certified. */
async function certified({ model, x, y, clean, box }: Subject, epsilon: number): Promise<number[]> {
  const found = await ibp.certificate.certify({
    ...{ model, x, answers: clean, norm: 'linf', epsilon, box, options: {}, random: [] },
    signal: new AbortController().signal,
  });
  return found.flatMap(({ outcome }, i) => (outcome === 'robust' && clean[i] === y[i] ? [i] : []));
}

describe.each([
  ['hardened', 'examples/digits/hardened.onnx', [0.01, 0.02]],
  ['standard', 'examples/digits/digits.onnx', [0.001, 0.002]],
] as const)('on the %s digit model', (name, path, epsilons) => {
  let subject: Subject;
  beforeAll(async () => void (subject = await open(path, 'fixtures/digits/test500.npz', {}, SAMPLES)));
  afterAll(() => subject.model.close());

  it.each(epsilons)('PGD at %p breaks no digit that IBP certifies', async (epsilon) => {
    const safe = await certified(subject, epsilon);
    expect(safe.length).toBeGreaterThan(SAMPLES / 4);
    const lost = await broken(subject, pgd, {
      norm: 'linf',
      epsilon,
      options: { steps: 20, stepSize: 0.15 },
    });
    expect(safe.filter((i) => lost.includes(i))).toEqual([]);
  });

  if (name !== 'hardened') return;
  it.each([0.005, 0.01, 0.02])(
    'IBP at %p bounds as NumPy does in float64, and never above',
    async (epsilon) => {
      const { least } = record<{ least: Record<string, number[]> }>('fixtures/peers/ibp.json');
      const theirs = least[String(epsilon)]!.slice(0, SAMPLES);
      const { model, x, y } = subject;
      const corner = (by: number) =>
        like(
          x,
          x.data.map((value) => Math.min(1, Math.max(0, value + by))),
        );
      const leads = await model.leastLeads!(corner(-epsilon), corner(epsilon), y);
      theirs.forEach((wanted, i) => {
        const own = Math.min(...row(leads, i).filter((_, k) => k !== y[i]));
        // They are written with five digits after the point, and our corners are rounded.
        expect(own).toBeLessThan(wanted + 1e-4);
        expect(own).toBeGreaterThan(wanted - 0.02);
      });
      const agreed = (await certified(subject, epsilon)).length - theirs.filter((value) => value > 0).length;
      expect(Math.abs(agreed)).toBeLessThanOrEqual(1);
    },
  );
});
