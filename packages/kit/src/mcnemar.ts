/** Samples whose fate differs between two runs: those that were robust and are no more, and the other way round. */
export interface Discordant {
  readonly lost: number;
  readonly gained: number;
}

/**
 * The exact one-sided test of McNemar (1947): how likely it is, were losing a sample no likelier than gaining one, that at least so many of the
 * discordant samples were lost: P(X >= lost) with X ~ Binomial(lost + gained, 1/2). 1 where nothing differs.
 */
export function mcnemar({ lost, gained }: Discordant): number {
  const n = lost + gained;
  // Term by term from P(X = n) = 2^-n downwards, in logarithms, since 2^-n underflows.
  let p = 0;
  for (let k = n, log = -n * Math.LN2; k >= lost; k--) {
    p += Math.exp(log);
    log += Math.log(k / (n - k + 1));
  }
  return Math.min(1, p);
}

/**
 * p-values adjusted for their number after Holm (1979), in the order given: the k-th smallest of m is multiplied by m - k + 1, and none is smaller than
 * that before it. Those at or below a level are the ones that Holm's procedure rejects at it.
 */
export function holm(pValues: readonly number[]): number[] {
  const adjusted = new Array<number>(pValues.length);
  const ascending = [...pValues.keys()].sort((a, b) => pValues[a]! - pValues[b]!);
  ascending.reduce((least, index, k) => {
    adjusted[index] = Math.min(1, Math.max(least, (pValues.length - k) * pValues[index]!));
    return adjusted[index]!;
  }, 0);
  return adjusted;
}
