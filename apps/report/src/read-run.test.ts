import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRun } from './index.js';
import { certified, planOf, rowOf } from './testing/run.js';

const ROWS = [0, 1, 2, 3].map((sample) => rowOf({ sample, verdict: sample === 0 ? 'broken' : 'held' }));
const LINES = ROWS.map((row) => `${JSON.stringify(row)}\n`);
const PLAN = JSON.stringify(planOf(ROWS));
const AUDIT = JSON.stringify({ results: [] });
const OWN = { 'plan.json': PLAN, 'outcomes.jsonl': LINES.join(''), 'audit.json': AUDIT };

const CERTIFIED = certified(0, { outcome: 'robust', radius: 0.1 });

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'report-'))));
afterEach(() => rmSync(folder, { recursive: true }));
const write = (files: Record<string, string>) =>
  Object.entries(files).forEach(([name, text]) => writeFileSync(join(folder, name), text));

it('reads a finished run', async () => {
  write(OWN);
  const run = await readRun(folder, 'run');
  expect(run.rows).toEqual(ROWS);
  expect(run.certificates).toEqual([]);
  expect(run.audit).not.toBeNull();
});

it('reads what is there of an unfinished run, up to the last whole line', async () => {
  write({ 'plan.json': PLAN, 'outcomes.jsonl': OWN['outcomes.jsonl'].slice(0, -5) });
  const run = await readRun(folder, 'run');
  expect(run.rows).toEqual(ROWS.slice(0, 3));
  expect(run.audit).toBeNull();
});

const changed = (more: object) => `${JSON.stringify({ ...ROWS[0], ...more })}\n`;

it.each<[string, Record<string, string>, string]>([
  ['an empty folder', {}, 'missing plan.json'],
  ['a plan cut short', { 'plan.json': PLAN.slice(0, -9) }, 'plan.json that is no JSON object'],
  ['a foreign plan', { 'plan.json': '{}' }, "plan.json that has no sound 'model'"],
  ['no rows', { 'plan.json': PLAN }, 'run without a finished row'],
  ['a foreign audit', { ...OWN, 'audit.json': '[]' }, 'audit.json that is no JSON object'],
  ['an audit cut short', { ...OWN, 'audit.json': AUDIT.slice(0, -1) }, 'audit.json that is no JSON object'],
  [
    'a damaged line',
    { ...OWN, 'outcomes.jsonl': '{}\n' },
    "line 1 of outcomes.jsonl, which has no sound 'sample',",
  ],
  [
    'a broken row without a distance',
    { ...OWN, 'outcomes.jsonl': changed({ distance: null }) },
    "line 1 of outcomes.jsonl, which has no sound 'distance',",
  ],
  [
    'a finished run whose last line is cut',
    { ...OWN, 'outcomes.jsonl': OWN['outcomes.jsonl'].slice(0, -5) },
    'outcomes.jsonl that is cut off',
  ],
  [
    'a finished run that lacks rows',
    { ...OWN, 'outcomes.jsonl': LINES.slice(1).join('') },
    '3 rows of 4, though audit.json says that it is finished,',
  ],
  ...[{ attack: 'attack/other' }, { epsilon: 0.2 }, { norm: 'l2' }, { surrogate: 'open' }].map(
    (more): [string, Record<string, string>, string] => [
      `a row of another plan: ${JSON.stringify(more)}`,
      { ...OWN, 'outcomes.jsonl': changed(more) },
      'line 1 of outcomes.jsonl, which plan.json did not ask for,',
    ],
  ),
  [
    'a certificate of another plan',
    { ...OWN, 'certificates.jsonl': `${JSON.stringify({ ...CERTIFIED, epsilon: 0.3 })}\n` },
    'line 1 of certificates.jsonl, which plan.json did not ask for,',
  ],
  [
    'a damaged certificate',
    {
      ...OWN,
      'certificates.jsonl': `${JSON.stringify({ ...CERTIFIED, certificate: { outcome: 'sure' } })}\n`,
    },
    "line 1 of certificates.jsonl, which has no sound 'certificate.outcome',",
  ],
  [
    'a row that is there twice',
    { ...OWN, 'outcomes.jsonl': LINES[0]! + LINES[0]! },
    'line 2 of outcomes.jsonl, which is there twice,',
  ],
])('%s is one sentence', async (_, files, found) => {
  write(files);
  await expect(readRun(folder, 'run')).rejects.toMatchObject({
    code: 'input',
    message: `Unexpected ${found} at run, expected the folder of a run, with results in it. Name a folder that gauntlet audit wrote, or go on with its run first.`,
  });
});

it('says of a file that it is no folder of a run', async () => {
  write(OWN);
  await expect(readRun(join(folder, 'outcomes.jsonl'), 'x')).rejects.toThrow('missing plan.json at x');
});
