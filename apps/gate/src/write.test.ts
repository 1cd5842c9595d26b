import { toBeValidSarifLog } from '@microsoft/jest-sarif';
import type { Log } from 'sarif';
import { type Criterion, type Verdict, writeJunit, writeMarkdown, writeSarif, writeText } from './index.js';

expect.extend({ toBeValidSarifLog });

const criterion: Criterion = { model: 'a<b|c', threatModel: 'small', epsilon: 8 / 255, measure: 'drop' };
const finding = (status: Verdict['status'], words: string) => ({ criterion, status, value: 0.5, words });
const VERDICTS: readonly Verdict[] = [
  { status: 'passed', findings: [finding('passed', 'fine')], doubts: [] },
  {
    status: 'failed',
    findings: [finding('passed', 'fine'), finding('failed', '"low" & </failure>\x1b[1m')],
    doubts: [],
  },
  {
    status: 'inconclusive',
    findings: [finding('inconclusive', 'who knows')],
    doubts: ['seed is 1, that of b.json is 0.'],
  },
];

describe.each(VERDICTS)('a verdict that is $status', (verdict) => {
  it('is valid SARIF with an alert for each threshold missed and each doubt', () => {
    const log = JSON.parse(writeSarif(verdict, 'ci/my gate.yaml', '1.2.3')) as Log;
    expect(log).toBeValidSarifLog();
    const missed = verdict.findings.filter(({ status }) => status === 'failed').length;
    expect(log.runs[0]!.results).toHaveLength(missed + verdict.doubts.length);
    for (const { ruleId, ruleIndex } of log.runs[0]!.results!) {
      expect(log.runs[0]!.tool.driver.rules![ruleIndex!]!.id).toBe(ruleId);
    }
  });

  it('counts the same in JUnit XML, and escapes what it says', () => {
    const xml = writeJunit(verdict);
    const many = (pattern: RegExp) => xml.match(pattern)?.length ?? 0;
    expect(many(/<testcase /g)).toBe(verdict.findings.length + verdict.doubts.length);
    expect(many(/<failure /g)).toBe(verdict.findings.filter(({ status }) => status === 'failed').length);
    expect(xml).toContain(`failures="${many(/<failure /g)}" errors="${many(/<error /g)}"`);
    expect(many(/<error /g) > 0).toBe(verdict.status === 'inconclusive');
    expect(xml).not.toMatch(/a<b|message=""/);
    expect(xml).not.toContain('\x1b');
  });

  it('says the same word everywhere', () => {
    expect(writeMarkdown(verdict)).toContain(`## Gauntlet: ${verdict.status}`);
    expect(writeText(verdict).trimEnd().split('\n').at(-1)!.toLowerCase()).toMatch(
      new RegExp(`^${verdict.status}:`),
    );
  });
});

it('keeps its table whole in Markdown', () => {
  const rows = writeMarkdown(VERDICTS[1]!)
    .split('\n')
    .filter((line) => line.startsWith('| a'));
  expect(rows).toHaveLength(2);
  for (const row of rows) expect(row.match(/(?<!\\)\|/g)).toHaveLength(4);
});

it.each([
  [['one'], ['Inconclusive: one']],
  [
    ['one', 'two'],
    ['doubt: one', 'doubt: two', 'Inconclusive: one'],
  ],
])('says of the doubts %j no more than there are', (doubts, lines) => {
  const text = writeText({ status: 'inconclusive', findings: [], doubts });
  expect(text.trim().split('\n')).toEqual(lines);
});
