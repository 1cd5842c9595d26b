import { readFileSync } from 'node:fs';
import { normalQuantile } from './normal.js';

const { cases } = JSON.parse(
  readFileSync(`${import.meta.dirname}/../../../fixtures/files/normal-quantiles.json`, 'utf8'),
) as { cases: [p: number, quantile: number][] };

describe('the quantile of the normal distribution', () => {
  it.each(cases)('at %p is what SciPy finds', (p, quantile) => {
    expect(Math.abs(normalQuantile(p) - quantile)).toBeLessThanOrEqual(1e-14 * (1 + Math.abs(quantile)));
  });

  it('has no end', () => {
    expect([normalQuantile(0), normalQuantile(1)]).toEqual([-Infinity, Infinity]);
  });
});
