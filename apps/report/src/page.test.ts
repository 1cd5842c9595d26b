import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRun, renderPage } from './index.js';

const HOSTILE = `<script>alert("1")</script>'&`;
const plan = {
  model: { name: HOSTILE, sha256: 'aa' },
  data: { name: HOSTILE, fingerprint: 'bb', samples: 4 },
  threatModel: {
    goal: { kind: 'untargeted' },
    access: 'gradients',
    confidence: 0,
    norm: 'linf',
    epsilons: [0.5],
    box: [0, 1],
    queries: null,
  },
  attacks: [{ use: HOSTILE, options: { [HOSTILE]: HOSTILE } }],
  seed: 7,
  versions: { [HOSTILE]: HOSTILE },
};
const row = (sample: number, verdict: string) => ({
  sample,
  verdict,
  attack: HOSTILE,
  norm: 'linf',
  epsilon: 0.5,
  label: 1,
  target: null,
  clean: verdict === 'misclassified' ? 2 : 1,
  distance: verdict === 'broken' ? { l0: 1, l1: 0.25, l2: 0.25, linf: 0.25 } : null,
  queries: 3,
  gradients: 1,
  seconds: 0,
});
const ROWS = ['held', 'broken', 'broken', 'misclassified']
  .map((verdict, i) => `${JSON.stringify(row(i, verdict))}\n`)
  .join('');

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'report-'))));
afterEach(() => rmSync(folder, { recursive: true }));
const write = (files: Record<string, string>) =>
  Object.entries(files).forEach(([name, text]) => writeFileSync(join(folder, name), text));

it('says the verdict in numbers that follow from the rows', async () => {
  write({ 'plan.json': JSON.stringify(plan), 'outcomes.jsonl': ROWS, 'audit.json': '{}' });
  const page = renderPage(await readRun(folder, 'run'));
  expect(page).toContain('75.0% are classified correctly');
  // One of four; SciPy's beta.ppf(0.025, 1, 4) and beta.ppf(0.975, 2, 3).
  expect(page).toContain('the robust accuracy is 25.0%, 95% interval 0.6% to 80.6%.');
  expect(page).not.toContain('not finished');
});

it('escapes whatever it shows, and reaches for nothing', async () => {
  write({ 'plan.json': JSON.stringify(plan), 'outcomes.jsonl': ROWS });
  const page = renderPage(await readRun(folder, 'run'));
  expect(page).not.toMatch(/<script|https?:|src=/);
  expect(page).toContain('<h1>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;</h1>');
});

it('tells of an unfinished run what is there, up to the last whole line', async () => {
  write({ 'plan.json': JSON.stringify(plan), 'outcomes.jsonl': ROWS.slice(0, -5) });
  expect(renderPage(await readRun(folder, 'run'))).toContain('not finished: 3 of 4 rows are there');
});

it.each([
  ['an empty folder', {}, 'missing plan.json'],
  ['a plan cut short', { 'plan.json': '{"model"' }, 'plan.json that is no JSON object'],
  ['a foreign plan', { 'plan.json': '{}' }, "plan.json that has no sound 'model'"],
  ['no rows', { 'plan.json': JSON.stringify(plan) }, 'run without a finished row'],
  [
    'a damaged line',
    { 'plan.json': JSON.stringify(plan), 'outcomes.jsonl': '{}\n' },
    "line 1 of outcomes.jsonl, which has no sound 'sample',",
  ],
])('%s is one sentence', async (_, files, found) => {
  write(files as Record<string, string>);
  await expect(readRun(folder, 'run')).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining(`Unexpected ${found} at run`),
  });
});
