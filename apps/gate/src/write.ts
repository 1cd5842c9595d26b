import { counted, radius } from '@gauntlet/core';
import type { Log, Result } from 'sarif';
import xmlbuilder from 'xmlbuilder';
import { type Criterion, type Finding, titleOf, type Verdict } from './judge.js';

/** The verdict in one line. */
export function headline({ status, findings, doubts }: Verdict): string {
  const missed = findings.filter((finding) => finding.status === 'failed').length;
  const thresholds = counted(findings.length, 'threshold');
  if (status === 'passed')
    return `Passed: ${findings.length === 1 ? 'the threshold holds' : `all ${thresholds} hold`}.`;
  if (status === 'failed') return `Failed: ${missed} of ${thresholds} ${missed === 1 ? 'is' : 'are'} missed.`;
  return `Inconclusive: ${doubts[0] ?? 'there is nothing to judge.'}`;
}

/** What a criterion is called. */
export const nameOf = (criterion: Criterion): string =>
  `${titleOf(criterion)} at ${radius(criterion.epsilon)}: ${LABELS[criterion.measure]}`;

const LABELS: Readonly<Record<Criterion['measure'], string>> = {
  'robust-accuracy': 'robust accuracy',
  'lower-bound': 'lower bound of robust accuracy',
  'certified-accuracy': 'certified accuracy',
  drop: 'drop against the baseline',
};

/** A list of one says nothing that the headline does not. */
const several = (doubts: readonly string[]) => (doubts.length > 1 ? doubts : []);

/** The verdict as lines of text. */
export const writeText = (verdict: Verdict): string =>
  [
    ...verdict.findings.map(
      ({ criterion, status, words }) => `${status.padEnd(12)}  ${nameOf(criterion)}: ${words}`,
    ),
    '',
    ...several(verdict.doubts).map((doubt) => `doubt: ${doubt}`),
    headline(verdict),
    '',
  ].join('\n');

/** The verdict as Markdown, for a pull request. */
export const writeMarkdown = (verdict: Verdict): string =>
  [
    `## Gauntlet: ${verdict.status}`,
    '',
    inMarkdown(headline(verdict)),
    '',
    '| threshold | verdict | why |',
    '| --- | --- | --- |',
    ...verdict.findings.map(({ criterion, status, words }) => {
      const cells = [nameOf(criterion), status === 'passed' ? status : `**${status}**`, words];
      return `| ${cells.map((cell, i) => (i === 1 ? cell : inMarkdown(cell))).join(' | ')} |`;
    }),
    ...(verdict.doubts.length > 1 ? ['', 'The evidence does not stand:', ''] : []),
    ...several(verdict.doubts).map((doubt) => `- ${inMarkdown(doubt)}`),
    '',
  ].join('\n');

/** Names of models and files may hold anything. */
const inMarkdown = (text: string) => text.replace(/[\\`*_{}[\]<>|~#!@]/g, '\\$&').replace(/[\r\n]+/g, ' ');

/** The verdict as JUnit XML: a case for each threshold; doubts are errors. */
export function writeJunit(verdict: Verdict): string {
  const { findings, doubts } = verdict;
  const count = (status: Finding['status']) => findings.filter((finding) => finding.status === status).length;
  const totals = {
    name: 'gauntlet',
    tests: findings.length + doubts.length,
    failures: count('failed'),
    errors: count('inconclusive') + doubts.length,
  };
  const root = xmlbuilder
    .create('testsuites', { encoding: 'UTF-8', invalidCharReplacement: '\uFFFD' })
    .att(totals);
  const suite = root.ele('testsuite', totals);
  for (const { criterion, status, words } of findings) {
    const test = suite.ele('testcase', { classname: titleOf(criterion), name: nameOf(criterion) });
    if (status !== 'passed') test.ele(status === 'failed' ? 'failure' : 'error', { message: words }, words);
  }
  for (const doubt of doubts) {
    suite.ele('testcase', { classname: 'evidence', name: doubt }).ele('error', { message: doubt }, doubt);
  }
  return `${root.end({ pretty: true })}\n`;
}

const RULES: readonly { readonly id: string; readonly text: string }[] = [
  { id: 'robust-accuracy', text: 'Robust accuracy, in the worst case over attacks, is below its threshold.' },
  { id: 'lower-bound', text: 'The lower end of the 95% interval of robust accuracy is below its threshold.' },
  { id: 'certified-accuracy', text: 'Accuracy that is proven is below its threshold.' },
  { id: 'drop', text: 'Robust accuracy fell below that of the baseline, more than chance explains.' },
  { id: 'evidence', text: 'The evidence does not stand, so that the gate cannot say anything.' },
];

/**
 * The verdict as SARIF 2.1.0: a result for each threshold that is missed and each doubt.
 *
 * @param at where alerts are shown: the file of the configuration, from the root of the repository, with slashes.
 */
export function writeSarif(verdict: Verdict, at: string, version: string): string {
  const result = (ruleId: string, name: string, text: string): Result => ({
    ruleId,
    ruleIndex: RULES.findIndex(({ id }) => id === ruleId),
    level: 'error',
    message: { text },
    locations: [{ physicalLocation: { artifactLocation: { uri: encodeURI(at) }, region: { startLine: 1 } } }],
    partialFingerprints: { 'gauntlet/v1': name },
  });
  const log: Log = {
    version: '2.1.0',
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    runs: [
      {
        tool: {
          driver: {
            name: 'Gauntlet',
            semanticVersion: version,
            rules: RULES.map(({ id, text }) => ({ id, shortDescription: { text } })),
          },
        },
        results: [
          ...verdict.findings
            .filter(({ status }) => status === 'failed')
            .map(({ criterion, words }) =>
              result(criterion.measure, nameOf(criterion), `${nameOf(criterion)}: ${words}.`),
            ),
          ...verdict.doubts.map((doubt) => result('evidence', doubt, doubt)),
        ],
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}
