import { readFileSync } from 'node:fs';
import { clopperPearson } from './interval.js';

const { cases } = JSON.parse(
  readFileSync(`${import.meta.dirname}/../../../fixtures/files/intervals.json`, 'utf8'),
) as { cases: [k: number, n: number, lo: number, hi: number][] };

describe('the Clopper-Pearson interval', () => {
  it.each(cases)('of %p in %p is what SciPy finds', (k, n, lo, hi) => {
    const found = clopperPearson(k, n);
    expect(Math.abs(found[0] - lo)).toBeLessThan(1e-10);
    expect(Math.abs(found[1] - hi)).toBeLessThan(1e-10);
  });

  it('is symmetric', () => {
    for (let k = 0; k <= 50; k++) {
      const [[lo, hi], [other, rest]] = [clopperPearson(k, 50), clopperPearson(50 - k, 50)];
      expect(lo).toBeCloseTo(1 - rest, 12);
      expect(hi).toBeCloseTo(1 - other, 12);
    }
  });

  it('knows nothing where nothing was counted', () => {
    expect(clopperPearson(0, 0)).toEqual([0, 1]);
  });
});
