import { defineMetric, runOf, worstCase } from '@gauntlet/core';

/** Robustness to several attacks together, at one epsilon. */
export interface WorstCase {
  readonly epsilon: number;
  /** Classified correctly and broken by none of the attacks, of all samples. */
  readonly robustAccuracy: number;
  /** For each attack, and what it was crafted on if not on the model: the samples that it breaks here, and those of them that no other attack breaks. */
  readonly attacks: Readonly<Record<string, { readonly broken: number; readonly alone: number }>>;
}

/** Robust accuracy under several attacks together, untargeted, over all their rows: what one of them breaks is broken; and what each attack adds to the others. */
export default defineMetric<readonly WorstCase[]>({
  id: 'metric/worst-case',
  summary: 'Robust accuracy under several attacks together, and what each of them adds.',
  per: 'run',
  over(rows) {
    const names = [...new Set(rows.map(runOf))].sort();
    const every = worstCase(rows);
    const own = new Map(names.map((name) => [name, worstCase(rows.filter((row) => runOf(row) === name))]));
    return [...new Set(rows.map(({ epsilon }) => epsilon))]
      .sort((a, b) => a - b)
      .map((epsilon) => {
        const here = every.filter((row) => row.epsilon === epsilon);
        const brokenBy = (name: string) =>
          new Set(
            own
              .get(name)!
              .flatMap((row) => (row.epsilon === epsilon && row.verdict === 'broken' ? [row.sample] : [])),
          );
        const broken = names.map((name) => ({ name, samples: brokenBy(name) }));
        return {
          epsilon,
          robustAccuracy: here.filter(({ verdict }) => verdict === 'held').length / here.length,
          attacks: Object.fromEntries(
            broken.map(({ name, samples }) => {
              const others = broken.filter((other) => other.name !== name);
              const alone = [...samples].filter((id) => !others.some((other) => other.samples.has(id)));
              return [name, { broken: samples.size, alone: alone.length }];
            }),
          ),
        };
      });
  },
});
