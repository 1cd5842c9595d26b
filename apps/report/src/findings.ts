import { type Row, WORST_CASE, worstCase } from '@gauntlet/core';
import { clopperPearson } from '@gauntlet/kit';
import metric, { type RobustAccuracy } from '@gauntlet/metric-robust-accuracy';
import { styleOf } from './chart.js';
import { nameOf } from './words.js';
import type { Run } from './read-run.js';

/** The rows of one attack, or of the worst case over all, by ascending epsilon. */
export interface Series {
  readonly name: string;
  /** The class by which figures style it: colour and dashes. */
  readonly style: string;
  readonly points: readonly Point[];
}

/** How the model fared under one attack at one epsilon. */
export interface Point extends RobustAccuracy {
  readonly epsilon: number;
  readonly rows: readonly Row[];
}

/** What the figures and tables of a report say, folded from a run's rows. */
export interface Findings {
  readonly run: Run;
  readonly targeted: boolean;
  /** Samples of which there are rows, and the share that is classified correctly. */
  readonly samples: number;
  readonly clean: number;
  readonly cleanInterval: readonly [lo: number, hi: number];
  readonly worst: Series;
  readonly attacks: readonly Series[];
}

/** Folds the rows of a run. */
export function findingsOf(run: Run): Findings {
  const bySample = [...new Map(run.rows.map((row) => [row.sample, row])).values()];
  const correct = bySample.filter((row) => row.clean === row.label).length;
  return {
    run,
    targeted: run.plan.threatModel.goal.kind === 'targeted',
    samples: bySample.length,
    clean: correct / bySample.length,
    cleanInterval: clopperPearson(correct, bySample.length),
    worst: { name: WORST_CASE, style: styleOf(0), points: pointsOf(worstCase(run.rows)) },
    attacks: [...grouped(run.rows, nameOf)].map(([name, rows], i) => ({
      name,
      style: styleOf(i + 1),
      points: pointsOf(rows),
    })),
  };
}

const pointsOf = (rows: readonly Row[]): Point[] =>
  [...grouped(rows, ({ epsilon }) => epsilon)]
    .sort(([a], [b]) => a - b)
    .map(([epsilon, own]) => ({ epsilon, rows: own, ...metric.over(own) }));

/** Some values by a key, in the order in which the keys come. */
export function grouped<K, V>(values: readonly V[], keyOf: (value: V) => K): ReadonlyMap<K, readonly V[]> {
  const groups = new Map<K, V[]>();
  for (const value of values) {
    const key = keyOf(value);
    const own = groups.get(key);
    if (own === undefined) groups.set(key, [value]);
    else own.push(value);
  }
  return groups;
}

/** Whether an attack was tried on the sample of a row. */
export const tried = ({ verdict }: Row): boolean => verdict === 'held' || verdict === 'broken';

/** The rows in which a sample is broken, one for each sample: where it was moved least. */
export function nearestBroken({ points }: Series): readonly Row[] {
  const nearest = new Map<Row['sample'], Row>();
  for (const row of points.flatMap(({ rows }) => rows)) {
    if (row.verdict !== 'broken') continue;
    const known = nearest.get(row.sample);
    if (known === undefined || far(row) < far(known)) nearest.set(row.sample, row);
  }
  return [...nearest.values()].sort((a, b) => far(a) - far(b));
}

/** How far the sample of a row was moved, in the norm of the row; infinite where nothing was found. */
export const far = ({ distance, norm }: Row): number => distance?.[norm] ?? Infinity;
