import { count, describeThreat, percent, range, short } from '@gauntlet/core';
import { changesInWords, fateOf } from './changes.js';
import { commandOf } from './command.js';
import { compare, type Comparison } from './comparison.js';
import { caveatsOf } from './coverage.js';
import { type Findings, findingsOf } from './findings.js';
import { code, markdownTable, plain } from './markdown-text.js';
import { nameOf as nameOfMetric, textOf } from './measured.js';
import { HEADS, provenOf, rowsOf } from './proven.js';
import type { Run } from './read-run.js';
import { factsOf } from './reproduce.js';
import { verdictOf } from './verdict.js';
import { classNames, nameOf } from './words.js';

/** As many samples that got worse are named. */
const MOST_NAMED = 20;

/**
 * The results of a run as text for a pull request, in GitHub's Markdown.
 *
 * @throws GauntletError `input` for an older run that cannot be compared.
 */
export function renderMarkdown(run: Run, { against }: { readonly against?: Run | undefined } = {}): string {
  const findings = findingsOf(run);
  const comparison = against && compare(findings, findingsOf(against));
  return `${[
    `## Robustness of ${code(run.plan.model.name)}`,
    plain(verdictOf(findings)),
    ...(comparison ? changes(comparison, classNames(run)) : []),
    resultsTable(findings),
    ...waysOf(findings),
    ...provenTable(findings),
    ...measuredTable(findings),
    'Robust: classified correctly and not broken. The interval is the error of sampling only; an attack that was not run may do better.',
    `**Threat model.** ${plain(describeThreat(run.plan.threatModel))}`,
    `<details><summary>What was not tried</summary>\n\n${listed(caveatsOf(findings))}\n\n</details>`,
    `<details><summary>To reproduce it</summary>\n\n${reproduced(findings)}\n\n</details>`,
  ].join('\n\n')}\n`;
}

/** Robust accuracy of the worst case and each attack at each epsilon. */
export const resultsTable = ({ worst, attacks, clean }: Findings): string =>
  markdownTable(
    ['Attack', 'Epsilon', 'Clean', 'Robust', '95% interval', 'Median distance', 'Broken'],
    [worst, ...attacks].flatMap(({ name, points }) =>
      points.map(({ epsilon, robustAccuracy, interval, distance, broken }) => [
        name === worst.name ? `**${name}**` : code(name),
        short(epsilon),
        percent(clean),
        percent(robustAccuracy),
        range(interval),
        distance === null ? '-' : short(distance.median),
        count(broken),
      ]),
    ),
  );

/** What was proven by each certifier at each radius, and what that is worth; nothing where nothing was to be proven. */
export function provenTable({ run }: Findings): readonly string[] {
  const all = provenOf(run);
  if (all.length === 0) return [];
  const rows = rowsOf(all).map(([name, ...cells]) => [code(name), ...cells]);
  const worth = all.flatMap(({ name, words }) => (words === null ? [] : [`Proven by ${name}: ${words}`]));
  return [markdownTable([...HEADS], rows), ...(worth.length === 0 ? [] : [listed(worth)])];
}

/** A value is cut where it is longer. */
const LONGEST = 200;

/** The values of the metrics that were named. */
function measuredTable({ run: { audit } }: Findings): readonly string[] {
  const rows = (audit?.metrics ?? []).map((one) => {
    const text = textOf(one.value);
    return [plain(nameOfMetric(one)), code(text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text)];
  });
  return rows.length === 0 ? [] : [markdownTable(['Metric', 'Value'], rows)];
}

/** How attacks were run, by name, where defences or other models took part: a list, or nothing. */
export function waysOf({ run: { audit } }: Findings): readonly string[] {
  const ways = (audit?.results ?? []).flatMap(({ attack, on, way }) =>
    way === undefined ? [] : [`${nameOf({ attack, ...(on !== undefined && { surrogate: on }) })}: ${way}.`],
  );
  return ways.length === 0 ? [] : [listed([...new Set(ways)])];
}

/** Sentences as a list. */
export const listed = (sentences: readonly string[]): string =>
  sentences.map((sentence) => `- ${plain(sentence)}`).join('\n');

/** Command, seed, hashes and versions. */
export function reproduced(findings: Findings): string {
  const command = commandOf(findings.run);
  const facts = markdownTable(
    ['Fact', 'Value'],
    factsOf(findings).map(([name, value]) => [plain(name), code(value)]),
  );
  return command === null ? facts : `${block(command)}\n\n${facts}`;
}

function block(command: string): string {
  const longest = Math.max(2, ...(command.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}sh\n${command}\n${fence}`;
}

function changes(comparison: Comparison, names: (id: number) => string): readonly string[] {
  const worst = comparison.groups.filter(({ attack }) => attack === comparison.groups[0]!.attack);
  const rows = worst.flatMap(({ epsilon, worse }) =>
    worse.map((change) => [code(String(change.is.sample)), short(epsilon), plain(fateOf(change, names))]),
  );
  const left = rows.length - MOST_NAMED;
  return [
    `**${plain(changesInWords(comparison))}**`,
    ...(rows.length === 0
      ? []
      : [
          `<details><summary>Samples that got worse</summary>\n\n${markdownTable(
            ['Sample', 'Epsilon', 'Now'],
            rows.slice(0, MOST_NAMED),
          )}\n\n${left > 0 ? `And ${count(left)} more; the HTML report lists all.\n\n` : ''}</details>`,
        ]),
  ];
}
