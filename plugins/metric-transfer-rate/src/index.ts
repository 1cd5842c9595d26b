import { defineMetric, type Row } from '@gauntlet/core';

/** One entry of the matrix: what an attack crafted on `from`, tried on `to`. */
export interface TransferRate {
  readonly attack: string;
  readonly from: string;
  readonly to: string;
  readonly epsilon: number;
  /** Broken, of the samples that were tried. */
  readonly rate: number;
  readonly tried: number;
}

/**
 * The transfer rate matrix of each attack over rows of any number of runs: how often what was crafted on one model breaks another, at each epsilon. Rows that were crafted on the model
 * itself are its diagonal; samples that the target misclassifies anyway do not count.
 */
export default defineMetric<readonly TransferRate[]>({
  id: 'metric/transfer-rate',
  summary: 'How often what was crafted on one model breaks another.',
  per: 'run',
  over(rows) {
    const groups = new Map<string, Row[]>();
    for (const row of rows) {
      if (row.verdict !== 'held' && row.verdict !== 'broken') continue;
      const key = JSON.stringify([row.attack, row.surrogate ?? row.model, row.model, row.epsilon]);
      groups.set(key, [...(groups.get(key) ?? []), row]);
    }
    return [...groups]
      .map(([key, own]): TransferRate => {
        const [attack, from, to, epsilon] = JSON.parse(key) as [string, string, string, number];
        const broken = own.filter(({ verdict }) => verdict === 'broken').length;
        return { attack, from, to, epsilon, rate: broken / own.length, tried: own.length };
      })
      .sort(
        (a, b) =>
          order(a.attack, b.attack) || order(a.from, b.from) || order(a.to, b.to) || a.epsilon - b.epsilon,
      );
  },
});

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
