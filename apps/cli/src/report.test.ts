import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { called } from './testing/called.js';
import { ROOT } from './testing/packed.js';

import.meta.jest.setTimeout(120_000);

let user = '';
beforeAll(() => (user = mkdtempSync(join(tmpdir(), 'report-'))));
afterAll(() => rmSync(user, { recursive: true, force: true }));

const gauntlet = (...args: string[]) => called(user, args);

const text = (path: string) => readFileSync(join(user, path), 'utf8');
const MODEL = `${ROOT}examples/digits/digits.onnx`;
const DATA = `${ROOT}examples/digits/digits.npz`;
const audit = (out: string, ...more: string[]) =>
  gauntlet('audit', MODEL, '--data', DATA, '--limit', '8', '--out', out, ...more);

describe('a run', () => {
  beforeAll(async () => {
    const some = ['--epsilon', '0.1,0.2', '--attack', 'pgd,fgsm', '--set', 'pgd.steps=5'];
    expect((await audit('runs/1', ...some)).err).toBe('');
    expect((await audit('runs/2', ...some, '--seed', '1')).err).toBe('');
  });

  it('is reported as a page, as text, as a model card, and beside others', async () => {
    expect(await gauntlet('report', 'runs/1')).toMatchObject({ status: 0, out: 'File: report.html\n' });
    expect(text('report.html')).toMatch(/^<!doctype html>/);
    expect(text('report.html')).toContain('data:image/png;base64,');

    expect((await gauntlet('report', 'runs/1', '-o', 'pull.md', '--against', 'runs/2')).status).toBe(0);
    expect(text('pull.md')).toMatch(/^## Robustness of `digits.onnx`\n[^]*\n\*\*Against runs\/2 /);

    expect(await gauntlet('report', 'runs/1', '--format', 'model-card')).toMatchObject({
      out: 'File: report.md\n',
    });
    expect(text('report.md')).toMatch(/^## Adversarial robustness\n/);

    writeFileSync(join(user, 'names.txt'), Array.from({ length: 10 }, (_, i) => `digit-${i}\r\n`).join(''));
    await gauntlet('report', 'runs/1', '-o', 'named.html', '--classes', 'names.txt');
    expect(text('named.html')).toContain('"names":["digit-0","digit-1",');

    expect((await gauntlet('report', 'runs', '--trend', '-o', 'trend.md')).status).toBe(0);
    expect(text('trend.md')).toMatch(/\n\| 1 \| `1` \|[^]*\n\| 2 \| `2` \|/);
  });

  it('is run again by the command of its report, to the same rows', async () => {
    await gauntlet('report', 'runs/1', '-o', 'again.md');
    const [, command] = /```sh\nnpx gauntlet (.*)\n```/.exec(text('again.md'))!;
    const args = command!
      .split(' ')
      .map((word) => ({ 'digits.onnx': MODEL, 'digits.npz': DATA })[word] ?? word);
    expect((await gauntlet(...args, '--out', 'again')).status).toBe(0);
    const rows = (folder: string) => text(`${folder}/outcomes.jsonl`).replace(/"seconds":[^,]+/g, '');
    expect(rows('again')).toBe(rows('runs/1'));
  });

  it('is described with the attacks that were not run', async () => {
    await audit('runs/default', '--epsilon', '0.2');
    await gauntlet('report', 'runs/default', '-o', 'default.md');
    expect(text('default.md')).toContain('square was not run (it takes long: name it with --attack)');
  });
});

it.each<[string, readonly string[], string]>([
  [
    'a folder that is none of a run',
    ['.'],
    'Unexpected missing plan.json at ., expected the folder of a run',
  ],
  ['a folder that is not there', ['gone'], 'Unexpected missing plan.json at gone,'],
  ['names that are not there', ['runs/1', '--classes', 'gone.txt'], 'Unexpected missing file at '],
  ['a run without rows', ['begun'], 'Unexpected run without a finished row at begun,'],
  ['several runs', ['a', 'b'], 'Unexpected 2 folders at gauntlet report, expected one. Add --trend'],
  [
    'an unknown format',
    ['a', '--format', 'pdf'],
    "Unexpected 'pdf' at --format, expected html, markdown, model-card.",
  ],
  ['no runs', ['.', '--trend'], 'Unexpected run without a finished row at begun,'],
  [
    'a comparison and a trend',
    ['a', '--trend', '--against', 'b'],
    'Unexpected --against with --trend at gauntlet report',
  ],
])('%s is one sentence and writes nothing', async (_, args, message) => {
  mkdirSync(join(user, 'begun'), { recursive: true });
  copyFileSync(join(user, 'runs/1/plan.json'), join(user, 'begun/plan.json'));
  const { status, out, err } = await gauntlet('report', ...args, '-o', 'x.html');
  expect({ status, out }).toEqual({ status: 2, out: '' });
  expect(err).toMatch(/^gauntlet: Unexpected [^\n]* at [^\n]*, expected [^\n]*\. [^\n]*\.\n$/);
  expect(err).toContain(message);
  expect(existsSync(join(user, 'x.html'))).toBe(false);
});
