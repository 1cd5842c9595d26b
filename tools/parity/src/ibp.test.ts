import pgd from '@gauntlet/attack-pgd';
import ibp from '@gauntlet/certifier-ibp';
import { like, row } from '@gauntlet/tensor';
import { broken, open, record, type Subject } from './subject.js';

const SAMPLES = 200;
/** So many of them are attacked. */
const ATTACKED = 60;

/** The samples that are right and certified. */
async function certified({ model, x, y, clean, box }: Subject, epsilon: number): Promise<number[]> {
  const found = await ibp.certificate.certify({
    ...{ model, x, answers: clean, norm: 'linf', epsilon, box, options: {}, random: [] },
    signal: new AbortController().signal,
  });
  return found.flatMap(({ outcome }, i) => (outcome === 'robust' && clean[i] === y[i] ? [i] : []));
}

/** The table of the README of certifier-ibp: how many of the samples are right and certified at each epsilon. */
const TABLE = {
  'examples/digits/hardened.onnx': { 0.002: 181, 0.005: 165, 0.01: 145, 0.02: 72, 0.05: 0 },
  'examples/digits/digits.onnx': { 0.002: 154, 0.005: 17, 0.01: 0, 0.02: 0, 0.05: 0 },
};

describe.each(Object.entries(TABLE))('IBP of %s', (path, counts) => {
  let subject: Subject;
  beforeAll(async () => void (subject = await open(path, 'fixtures/digits/test500.npz', {}, SAMPLES)));
  afterAll(() => subject.model.close());

  it.each(Object.entries(counts))(
    'certifies at %s as many digits as the README says, and PGD breaks none of them',
    async (epsilon, count) => {
      const safe = await certified(subject, Number(epsilon));
      expect(Math.abs(safe.length - count)).toBeLessThanOrEqual(1);
      if (count === 0) return;
      const lost = await broken(subject, pgd, {
        ...{ norm: 'linf', epsilon: Number(epsilon), options: { steps: 20, stepSize: 0.15 } },
        order: safe.slice(0, ATTACKED),
      });
      expect(lost).toEqual([]);
    },
  );
});

it.each([0.005, 0.01, 0.02])(
  'IBP at %p bounds as NumPy does in float64, and never above',
  async (epsilon) => {
    const { least } = record<{ least: Record<string, number[]> }>('fixtures/peers/ibp.json');
    const { model, x, y } = await open(
      'examples/digits/hardened.onnx',
      'fixtures/digits/test500.npz',
      {},
      SAMPLES,
    );
    const corner = (by: number) =>
      like(
        x,
        x.data.map((value) => Math.min(1, Math.max(0, value + by))),
      );
    const leads = await model.leastLeads!(corner(-epsilon), corner(epsilon), y);
    least[String(epsilon)]!.forEach((wanted, i) => {
      const own = Math.min(...row(leads, i).filter((_, k) => k !== y[i]));
      // They are written with five digits after the point, and our corners are rounded.
      expect(own).toBeLessThan(wanted + 1e-4);
      expect(own).toBeGreaterThan(wanted - 0.02);
    });
    await model.close();
  },
);
