import type { Metric, Row } from '@gauntlet/core';
import type { AuditJson } from './audit-json.js';

type Measured = NonNullable<AuditJson['metrics']>[number];

/** The values of metrics over the rows of a run, each over the rows that it asks for. */
export const measure = (metrics: readonly Metric[], rows: readonly Row[]): Measured[] =>
  metrics.flatMap((metric) => {
    const of = (attack: string | null, epsilon: number | null): Measured => {
      const own = rows.filter(
        (row) => (attack ?? row.attack) === row.attack && (epsilon ?? row.epsilon) === row.epsilon,
      );
      return { metric: metric.id, attack, epsilon, value: metric.over(own) };
    };
    if (metric.per === 'run') return [of(null, null)];
    const attacks = distinct(rows.map(({ attack }) => attack));
    if (metric.per === 'attack') return attacks.map((attack) => of(attack, null));
    const epsilons = distinct(rows.map(({ epsilon }) => epsilon));
    return attacks.flatMap((attack) => epsilons.map((epsilon) => of(attack, epsilon)));
  });

const distinct = <T>(all: readonly T[]) => [...new Set(all)];
