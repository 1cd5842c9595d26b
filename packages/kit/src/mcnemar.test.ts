import { holm, mcnemar } from './mcnemar.js';

/** P(X >= k) of Binomial(n, 1/2) in whole numbers: the sum of the binomial coefficients from k to n, of 2^n. */
function exact(k: number, n: number): number {
  let [term, sum] = [1n, 0n];
  for (let i = n; i >= k; i--) {
    sum += term;
    term = (term * BigInt(i)) / BigInt(n - i + 1);
  }
  const digits = sum === 0n ? 0 : sum.toString(2).length;
  const kept = BigInt(Math.max(0, digits - 60));
  return Number(sum >> kept) * 2 ** (Number(kept) - n);
}

describe('mcnemar', () => {
  it.each([
    [0, 0, 1],
    [1, 0, 1 / 2],
    [0, 1, 1],
    [5, 0, 1 / 32],
    [4, 1, 6 / 32],
    [3, 2, 1 / 2],
    [8, 2, 56 / 1024],
    [9, 1, 11 / 1024],
    [10, 10, 1 / 2 + 184756 / 2 ** 21],
  ])('of %i lost and %i gained is %d', (lost, gained, p) => {
    expect(mcnemar({ lost, gained })).toBeCloseTo(p, 14);
  });

  it('agrees with whole numbers, far into the tails', () => {
    for (const n of [1, 2, 7, 40, 333, 1000]) {
      for (const lost of [0, n >> 2, n >> 1, (n >> 1) + 1, Math.ceil(0.9 * n), n]) {
        const p = mcnemar({ lost, gained: n - lost });
        expect(Math.abs(p / exact(lost, n) - 1)).toBeLessThan(1e-10);
      }
    }
  });

  it('stays a number where 2^-n is none', () => {
    expect(mcnemar({ lost: 5050, gained: 4950 })).toBeCloseTo(0.161, 3);
  });
});

describe('holm', () => {
  // By hand, by the definition: the k-th smallest times m - k + 1, and never less than the one before. R has the same (p.adjust).
  it.each([
    [[], []],
    [[0.03], [0.03]],
    [
      [0.01, 0.04, 0.03, 0.005],
      [0.03, 0.06, 0.06, 0.02],
    ],
    [
      [0.01, 0.02, 0.03, 0.04, 0.05],
      [0.05, 0.08, 0.09, 0.09, 0.09],
    ],
    [
      [0.6, 0.7, 0.0001],
      [1, 1, 0.0003],
    ],
    [
      [0.02, 0.02, 0.02],
      [0.06, 0.06, 0.06],
    ],
  ])('adjusts %j to %j', (p, adjusted) => {
    const found = holm(p);
    expect(found).toHaveLength(adjusted.length);
    adjusted.forEach((value, i) => expect(found[i]).toBeCloseTo(value, 12));
  });

  it('rejects what the step-down procedure rejects', () => {
    const stepDown = (p: readonly number[], alpha: number) => {
      const order = [...p.keys()].sort((a, b) => p[a]! - p[b]!);
      const stop = order.findIndex((index, k) => p[index]! > alpha / (p.length - k));
      return new Set(stop < 0 ? order : order.slice(0, stop));
    };
    for (const p of [
      [0.001, 0.02, 0.024, 0.9],
      [0.012, 0.013, 0.014, 0.05],
      [0.2, 0.01],
      [0.025, 0.05],
    ]) {
      const rejected = stepDown(p, 0.05);
      holm(p).forEach((value, i) => expect(value <= 0.05).toBe(rejected.has(i)));
    }
  });
});
