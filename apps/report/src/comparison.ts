import { type Row, unexpected } from '@gauntlet/core';
import { mcnemar } from '@gauntlet/kit';
import { type Findings, type Point, tried } from './findings.js';

/** What changed between two runs on the same samples. */
export interface Comparison {
  readonly before: Findings;
  /** For the worst case and each attack that both ran, at each epsilon that both have. */
  readonly groups: readonly Group[];
}

/** How the samples that two runs share fared under one attack at one epsilon. */
export interface Group {
  readonly attack: string;
  readonly epsilon: number;
  readonly shared: number;
  /** How many of them stood: were classified correctly and not broken. */
  readonly before: number;
  readonly after: number;
  readonly worse: readonly Change[];
  readonly better: readonly Change[];
  /** Of the exact one-sided test of McNemar that it got worse. */
  readonly p: number;
}

/** One sample that stood in one run and fell in the other. */
export interface Change {
  readonly was: Row;
  readonly is: Row;
}

/**
 * Compares a run with an older one, sample by sample.
 *
 * @throws GauntletError `input` where the two have other data, another norm or goal, or no attack and epsilon in common.
 */
export function compare(now: Findings, before: Findings): Comparison {
  const [a, b] = [now.run.plan, before.run.plan];
  mustAgree(before, 'data', b.data.fingerprint, a.data.fingerprint);
  mustAgree(before, 'norm', b.threatModel.norm, a.threatModel.norm);
  mustAgree(before, 'goal', JSON.stringify(b.threatModel.goal), JSON.stringify(a.threatModel.goal));
  const series = (findings: Findings) => [findings.worst, ...findings.attacks];
  const groups = series(now).flatMap(({ name, points }) =>
    points.flatMap((point) => {
      const old = series(before).find((one) => one.name === name);
      const was = old?.points.find(({ epsilon }) => epsilon === point.epsilon);
      return was === undefined ? [] : [groupOf(name, point, was)];
    }),
  );
  if (groups.length > 0) return { before, groups };
  throw refused(before, 'other epsilons', `one of ${a.threatModel.epsilons.join(', ')}`);
}

function groupOf(attack: string, now: Point, before: Point): Group {
  const old = new Map(before.rows.map((row) => [row.sample, row]));
  const targeted = now.rows.some(({ target }) => target !== null);
  const pairs = now.rows.flatMap((is) => {
    const was = old.get(is.sample);
    return was === undefined || (targeted && !(tried(is) && tried(was))) ? [] : [{ was, is }];
  });
  const stood = ({ verdict }: Row) => verdict === 'held';
  const worse = pairs.filter(({ was, is }) => stood(was) && !stood(is));
  const better = pairs.filter(({ was, is }) => !stood(was) && stood(is));
  return {
    attack,
    epsilon: now.epsilon,
    shared: pairs.length,
    before: pairs.filter(({ was }) => stood(was)).length,
    after: pairs.filter(({ is }) => stood(is)).length,
    worse,
    better,
    p: mcnemar({ lost: worse.length, gained: better.length }),
  };
}

function mustAgree(before: Findings, what: string, was: string, is: string): void {
  if (was !== is) throw refused(before, `other ${what}`, `the same as the new run's`);
}

const refused = ({ run }: Findings, found: string, expected: string) =>
  unexpected({
    found,
    at: run.name,
    expected,
    remedy: 'Compare runs on the same samples, in the same norm and with the same goal.',
  });
