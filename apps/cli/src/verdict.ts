import {
  count,
  counted,
  describeTimeBudget,
  duration,
  percent,
  range,
  short,
  shortName,
} from '@gauntlet/core';
import type { AuditJson } from './audit-json.js';
import { align, WIDTH, wrap } from './layout.js';
import type { Epsilon } from './request.js';

/** How text is set off on a terminal; elsewhere it stays as it is. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
}

const ROBUST = {
  untargeted: 'classified correctly and not broken',
  targeted:
    'not driven to the target, of the samples that are classified correctly and whose label is not the target',
};

/** The verdict, for people: a line per attack and epsilon, then the worst case over all attacks per epsilon. */
export function renderVerdict(audit: AuditJson, epsilons: readonly Epsilon[], paint: Paint): string {
  const written = (value: number) =>
    epsilons.find((epsilon) => epsilon.value === value)?.text ?? short(value);
  const clean = percent(audit.clean.accuracy);
  const cells = (result: AuditJson['results'][number]) => [
    shortName(result.attack),
    written(result.epsilon),
    clean,
    percent(result.robustAccuracy),
    range(result.interval, '-'),
    result.distance === null ? '-' : short(result.distance.median, 3),
    String(result.distance?.count ?? 0),
    count(result.queries),
    duration(result.seconds),
  ];
  const worst = audit.worstCase.map((result) => [
    'worst case',
    written(result.epsilon),
    clean,
    percent(result.robustAccuracy),
    range(result.interval, '-'),
  ]);
  const certified = audit.certified ?? [];
  const proven = certified.flatMap(({ clean: own, at }) =>
    at.map((point) => [
      'certified',
      written(point.epsilon),
      percent(own),
      percent(point.certified),
      range(point.interval, '-'),
    ]),
  );
  const head = [
    'attack',
    'epsilon',
    'clean',
    'robust',
    '95% interval',
    'median distance',
    'broken',
    'queries',
    'time',
  ];
  const lines = align([head, ...audit.results.map(cells), ...worst, ...proven]);
  const [first, ...rest] = lines as [string, ...string[]];
  const results = audit.results.flatMap((result, i) => {
    const before = audit.results[i - 1];
    const opens = before === undefined || before.way !== result.way;
    return [...(opens ? headingOf(result, before !== undefined) : []), rest[i]!];
  });
  return [
    paint.bold(
      `${audit.model.name}, ${counted(audit.data.samples, 'sample')} of ${audit.data.name}, seed ${audit.seed}`,
    ),
    ...wrap(audit.threatModel.words),
    ...defenceLines(audit),
    ...budgetLines(audit),
    '',
    paint.dim(first),
    ...results,
    '',
    ...rest.slice(audit.results.length, rest.length - proven.length).map((line, i) => {
      const robust = audit.worstCase[i]!.robustAccuracy ?? 0;
      return paint.bold(robust < audit.clean.accuracy / 2 ? paint.red(line) : paint.green(line));
    }),
    '',
    ...certifiedLines(certified, rest.slice(rest.length - proven.length)),
    ...fittedLines(audit),
    ...notRunLines(audit),
    ...measuredLines(audit),
    ...wrap(
      `Robust: ${ROBUST[audit.threatModel.goal.kind]}. The interval is the error of sampling only; an attack that ` +
        'was not run may do better.',
    ).map(paint.dim),
  ].join('\n');
}

/** What stands before the model, and what its detectors were fitted by. */
function defenceLines({ defences = [], fit, clean }: AuditJson): string[] {
  if (defences.length === 0) return [];
  const all = defences.map(({ defence, options }) =>
    [defence, ...Object.entries(options).map(([name, value]) => `${name}=${String(value)}`)].join(' '),
  );
  const detectors = fit?.falseRejections === undefined ? '' : ` ${fitWords(fit, clean.rejected ?? 0)}`;
  return wrap(`Defended by ${all.join(', ')}.${detectors}`);
}

const fitWords = (
  { samples, name, falseRejections }: NonNullable<AuditJson['fit']>,
  rejected: number,
): string =>
  `Each detector may turn ${percent(falseRejections ?? null)} of clean samples away, by ${samples} of ${name} that are not ` +
  `attacked; of those that are, ${percent(rejected)} are turned away clean.`;

/** What a budget of time cut. */
const budgetLines = ({ budget }: AuditJson): string[] => {
  const words = budget && describeTimeBudget(budget);
  return words == null ? [] : wrap(words);
};

/** What each universal attack was fitted on, and what that took. */
function fittedLines({ results, fit }: AuditJson): string[] {
  const lines = results.flatMap((result) => {
    if (result.fit === undefined) return [];
    const { samples, queries, seconds: time } = result.fit;
    const name = [shortName(result.attack), ...(result.on === undefined ? [] : ['on', result.on])].join(' ');
    const asked = `${count(queries)} queries, ${duration(time)}`;
    return wrap(
      `${name} ${short(result.epsilon)}: fitted on ${counted(samples, 'sample')} of ${fit!.name} that are not attacked (${asked}).`,
    );
  });
  return lines.length === 0 ? [] : [...lines, ''];
}

/** How the attacks of some lines were run, where that needs saying. */
const headingOf = ({ way }: AuditJson['results'][number], apart: boolean): string[] =>
  way === undefined ? [] : [...(apart ? [''] : []), ...wrap(`${way[0]!.toUpperCase()}${way.slice(1)}:`)];

/** The lines of each certifier under what they are worth. */
function certifiedLines(certified: NonNullable<AuditJson['certified']>, lines: readonly string[]): string[] {
  const left = [...lines];
  return certified.flatMap(({ certifier, words, abstained, at }) => {
    const none =
      abstained === 0 ? '' : ` No answer to ${counted(abstained, 'sample')}, which counts as wrong.`;
    return [...wrap(`Proven by ${certifier}. ${words}${none}`), ...left.splice(0, at.length), ''];
  });
}

function notRunLines({ notRun = [], defences = [] }: AuditJson): string[] {
  if (notRun.length === 0 || defences.length === 0) return [];
  const lines = notRun.map(({ attack, why }) => `${shortName(attack)}: ${why}`);
  return ['Not run on the defended model:', ...lines.flatMap((line) => wrap(line, '  ')), ''];
}

/** What other metrics say, each on a line: audit.json has it whole. */
function measuredLines({ metrics = [] }: AuditJson): string[] {
  if (metrics.length === 0) return [];
  const lines = metrics.map(({ metric, certifier, attack, epsilon, value }) => {
    const of = [certifier, attack && shortName(attack), epsilon === null ? null : short(epsilon)].filter(
      Boolean,
    );
    const text = [shortName(metric), ...of, spelt(value)].join('  ');
    return text.length > WIDTH ? `${text.slice(0, WIDTH - WHOLE.length)}${WHOLE}` : text;
  });
  return [...lines, ''];
}

const WHOLE = '... (audit.json)';

/** The value of a metric, whatever its form, as `median 0.5, tried 19`; what lies deeper is in brackets. */
function spelt(value: unknown): string {
  if (typeof value === 'number') return short(value);
  if (value === null) return 'none';
  if (typeof value !== 'object') return String(value);
  const inner = (one: unknown) => (typeof one === 'object' && one !== null ? `(${spelt(one)})` : spelt(one));
  return Array.isArray(value)
    ? value.map(inner).join(', ')
    : Object.entries(value)
        .map(([name, one]) => `${name} ${inner(one)}`)
        .join(', ');
}
