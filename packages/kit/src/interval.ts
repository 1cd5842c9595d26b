/** The two-sided Clopper-Pearson interval of a proportion: `k` of `n`, by default at 95%. [0, 1] where `n` is 0. */
export function clopperPearson(k: number, n: number, level = 0.95): readonly [lo: number, hi: number] {
  const tail = (1 - level) / 2;
  return [k === 0 ? 0 : betaQuantile(tail, k, n - k + 1), k === n ? 1 : 1 - betaQuantile(tail, n - k, k + 1)];
}

/** Where the distribution function of Beta(a, b) reaches `p`, by bisection down to the last bit. */
function betaQuantile(p: number, a: number, b: number): number {
  let [lo, hi] = [0, 1];
  for (let middle = 0.5; middle > lo && middle < hi; middle = (lo + hi) / 2) {
    if (betaCdf(middle, a, b) < p) lo = middle;
    else hi = middle;
  }
  return (lo + hi) / 2;
}

/** The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22) and Lentz's method. */
function betaCdf(x: number, a: number, b: number): number {
  if (x > (a + 1) / (a + b + 2)) return 1 - betaCdf(1 - x, b, a);
  const front =
    Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1, change = 0; Math.abs(change - 1) > 1e-15 && m < 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    fraction *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    change = c * d;
    fraction *= change;
  }
  return front * fraction;
}

/** log(Gamma(z)) for z >= 1: Stirling's series, after raising z to where seven terms of it are exact in float64. */
function logGamma(z: number): number {
  let shift = 0;
  for (; z < 15; z++) shift += Math.log(z);
  const terms = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
  const series = terms.reduce((total, term, i) => total + term / z ** (2 * i + 1), 0);
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series - shift;
}
