import { short, worstCase } from '@gauntlet/core';
import { type Discordant, holm, mcnemar } from '@gauntlet/kit';
import certifiedAccuracy from '@gauntlet/metric-certified-accuracy';
import metric from '@gauntlet/metric-robust-accuracy';
import {
  type AuditFacts,
  type Baseline,
  type BaselineAudit,
  gapsOf,
  hashOfIds,
  lettersOf,
} from './baseline.js';
import { differences } from './differences.js';

/** The level at which a drop is held to be real: the chance that any of a gate's drop thresholds fails though no model got worse. */
export const ALPHA = 0.05;

/** One threshold for one model under one threat model at one epsilon. */
export type Criterion = {
  readonly model: string;
  readonly threatModel: string;
  readonly epsilon: number;
} & (
  | {
      /**
       * Robust accuracy in the worst case over attacks, or the lower end of its 95% interval; or the accuracy that is proven within epsilon, by whichever
       * certifier.
       */
      readonly measure: 'robust-accuracy' | 'lower-bound' | 'certified-accuracy';
      readonly atLeast: number;
    }
  | {
      /** No fall below the baseline that chance does not explain. */
      readonly measure: 'drop';
    }
);

/** Whether something holds, does not, or cannot be said. */
export type Status = 'passed' | 'failed' | 'inconclusive';

/** What became of a criterion. */
export interface Finding {
  readonly criterion: Criterion;
  readonly status: Status;
  /** Robust accuracy, its lower bound, certified accuracy, or the p-value of the drop after Holm: whatever is compared; null where there is none. */
  readonly value: number | null;
  readonly words: string;
}

/** What a gate says. */
export interface Verdict {
  readonly status: Status;
  readonly findings: readonly Finding[];
  /** Why the evidence does not stand: with one of these a verdict is inconclusive. */
  readonly doubts: readonly string[];
}

/** What is judged. */
export interface Evidence {
  readonly audits: readonly AuditFacts[];
  readonly criteria: readonly Criterion[];
  /** Null where there is none yet. */
  readonly baseline: Baseline | null;
  /** The baseline as the user calls it. */
  readonly baselineName: string;
}

/**
 * The rule. It is inconclusive if any planned row is missing or could not be tried, if there is no baseline, or if an audit's terms are not those of the
 * baseline; it fails if a criterion is missed; else it passes.
 */
export function judge({ audits, criteria, baseline, baselineName }: Evidence): Verdict {
  const earlier = (one: { readonly model: string; readonly threatModel: string }) =>
    baseline?.audits.find((other) => sameName(one, other));
  const doubtsOf = (audit: AuditFacts): string[] => [
    ...gapsOf(audit),
    ...(baseline === null ? [] : changesOf(audit, earlier(audit), baselineName)).map(
      (change) => `${change} Undo this, or accept it with gauntlet gate --update-baseline.`,
    ),
  ];
  const doubts = new Map(audits.map((audit) => [audit, doubtsOf(audit)] as const));

  const measured = criteria.map((criterion): Measured => {
    const audit = audits.find((one) => sameName(one, criterion));
    if (audit === undefined) return { criterion, value: null, words: 'nothing was run' };
    const past = earlier(audit);
    if (criterion.measure !== 'drop') return measure(criterion, audit);
    if (past === undefined) return { criterion, value: null, words: 'there is nothing to compare with' };
    if (doubts.get(audit)!.length > 0) {
      return { criterion, value: null, words: 'it cannot be compared with the baseline' };
    }
    return compare(criterion, audit, past);
  });
  const drops = measured.filter(({ p }) => p !== undefined);
  const adjusted = holm(drops.map(({ p }) => p!));

  const findings = measured.map((one): Finding => {
    const { criterion, p } = one;
    const audit = audits.find((other) => sameName(other, criterion));
    const value = p === undefined ? one.value : adjusted[drops.indexOf(one)]!;
    const words =
      p === undefined ? one.words : `${one.words}, p = ${short(p, 2)}, after Holm ${short(value!, 2)}`;
    const sound = baseline !== null && audit !== undefined && doubts.get(audit)!.length === 0;
    const status = value === null || !sound ? 'inconclusive' : holds(criterion, value) ? 'passed' : 'failed';
    return { criterion, status, value, words };
  });

  const all = [
    ...(baseline === null
      ? [`There is no baseline ${baselineName}. Run gauntlet gate --update-baseline and commit it.`]
      : []),
    ...[...doubts].flatMap(([audit, own]) => own.map((doubt) => `${titleOf(audit)}: ${doubt}`)),
    ...(baseline?.audits ?? [])
      .filter((past) => !audits.some((one) => sameName(one, past)))
      .map((past) => `${titleOf(past)}: it is in ${baselineName}, but was not run.`),
  ];
  return { status: statusOf(findings, all), findings, doubts: all };
}

function statusOf(findings: readonly Finding[], doubts: readonly string[]): Status {
  const some = (status: Status) => findings.some((finding) => finding.status === status);
  if (doubts.length > 0 || findings.length === 0 || some('inconclusive')) return 'inconclusive';
  return some('failed') ? 'failed' : 'passed';
}

interface Measured {
  readonly criterion: Criterion;
  readonly value: number | null;
  readonly words: string;
  /** Of a drop, before Holm. */
  readonly p?: number;
}

const holds = (criterion: Criterion, value: number) =>
  criterion.measure === 'drop' ? value > ALPHA : value >= criterion.atLeast;

const sameName = (a: Parameters<typeof titleOf>[0], b: Parameters<typeof titleOf>[0]) =>
  a.model === b.model && a.threatModel === b.threatModel;

/** What an audit is called. */
export const titleOf = ({ model, threatModel }: Pick<AuditFacts, 'model' | 'threatModel'>): string =>
  `${model} under ${threatModel}`;

function measure(
  criterion: Exclude<Criterion, { measure: 'drop' }>,
  { rows, certificates = [] }: AuditFacts,
): Measured {
  const asked = `at least ${exactly(criterion.atLeast)} is asked for`;
  if (criterion.measure === 'certified-accuracy') {
    const { at } = certifiedAccuracy.over(certificates);
    const value = at.find(({ epsilon }) => epsilon === criterion.epsilon)?.certified ?? null;
    if (value === null) return { criterion, value, words: 'nothing was to be proven' };
    return { criterion, value, words: `it is ${exactly(value)}, ${asked}` };
  }
  const own = worstCase(rows).filter(({ epsilon }) => epsilon === criterion.epsilon);
  const { robustAccuracy, interval } = metric.over(own);
  if (robustAccuracy === null) return { criterion, value: null, words: 'no sample counts' };
  if (criterion.measure === 'robust-accuracy') {
    const words = `it is ${exactly(robustAccuracy)}, ${asked}`;
    return { criterion, value: robustAccuracy, words };
  }
  const words = `it is ${exactly(interval[0])} (of ${exactly(robustAccuracy)}), ${asked}`;
  return { criterion, value: interval[0], words };
}

function compare(criterion: Criterion, { rows, terms }: AuditFacts, past: BaselineAudit): Measured {
  const [before, now] = [past.outcomes[String(criterion.epsilon)]!, lettersOf(rows, criterion.epsilon)];
  const counted = terms.threatModel.goal.kind === 'untargeted' ? 'hbm' : 'hb';
  const pairs = [...now].flatMap((letter, i) =>
    counted.includes(letter) && counted.includes(before[i]!) ? [[before[i]!, letter] as const] : [],
  );
  const many = (test: (pair: readonly [string, string]) => boolean) => pairs.filter(test).length;
  const discordant: Discordant = {
    lost: many(([a, b]) => a === 'h' && b !== 'h'),
    gained: many(([a, b]) => a !== 'h' && b === 'h'),
  };
  const held = `${many(([, b]) => b === 'h')} of ${pairs.length} samples held, ${many(([a]) => a === 'h')} in the baseline`;
  const words = `${held}: ${discordant.lost} lost, ${discordant.gained} gained`;
  return { criterion, value: null, words, p: mcnemar(discordant) };
}

/** In what an audit is not comparable with its baseline. */
function changesOf(audit: AuditFacts, past: BaselineAudit | undefined, name: string): string[] {
  if (past === undefined) return [`it is not in ${name}.`];
  const changes = differences(past.terms, audit.terms).map(
    ({ path, there, here }) => `${path} is ${here}, that of ${name} is ${there}.`,
  );
  if (changes.length > 0) return changes;
  const whole = audit.terms.threatModel.epsilons.every(
    (epsilon) => past.outcomes[String(epsilon)]?.length === audit.terms.data.samples,
  );
  if (!whole) return [`its outcomes in ${name} are not one for each sample at each epsilon.`];
  return past.ids === hashOfIds(audit.rows) ? [] : [`its samples are not those of ${name}.`];
}

/** As exact as thresholds are written. */
const exactly = (share: number) => `${short(100 * share, 5)}%`;
