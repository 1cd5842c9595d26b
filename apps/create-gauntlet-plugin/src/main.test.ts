import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KINDS } from './kinds.js';
import { main } from './main.js';

const empty = () => mkdtempSync(join(tmpdir(), 'gauntlet-create-'));

function run(argv: readonly string[], cwd = empty()) {
  const said = { out: '', err: '' };
  const code = main(argv, {
    cwd,
    out: (text) => (said.out += text),
    err: (text) => (said.err += text),
  });
  return { code, ...said, cwd };
}

it('writes a package and says what to do next', () => {
  const { code, out, cwd } = run(['wrapper', 'second-look', '--test', 'vitest']);
  expect(code).toBe(0);
  expect(out).toContain('cd gauntlet-defence-second-look\n');
  const manifest = readFileSync(join(cwd, 'gauntlet-defence-second-look/package.json'), 'utf8');
  expect((JSON.parse(manifest) as { scripts: { test: string } }).scripts.test).toBe('vitest run');
});

it('prints its kinds, which the README lists', () => {
  const page = readFileSync('apps/create-gauntlet-plugin/README.md', 'utf8');
  expect(page).toContain(
    `Kinds: ${Object.keys(KINDS)
      .map((kind) => `\`${kind}\``)
      .join(', ')};`,
  );
  const { code, out } = run(['--help']);
  expect(code).toBe(0);
  expect(out).toMatch(/attack +perturbs inputs until the answer changes/);
});

it.each([
  [[], 'no kind at the first argument'],
  [['atack', 'mine'], "kind 'atack' at the first argument, expected one of attack,"],
  [['constructor', 'mine'], "kind 'constructor'"],
  [['attack'], 'no name at the second argument'],
  [['attack', '../mine'], "name '../mine' at the second argument"],
  [['attack', 'Mine'], "name 'Mine'"],
  [['attack', 'mine', 'yours'], "'yours' at the command line"],
  [['attack', 'mine', '--test', 'mocha'], "'mocha' at --test, expected node, vitest, jest"],
  [['attack', 'mine', '--tests'], "Unknown option '--tests' at the command line"],
])('refuses %p in one sentence, and writes nothing', (argv, sentence) => {
  const { code, out, err, cwd } = run(argv);
  expect(code).toBe(2);
  expect(out).toBe('');
  expect(err.split('\n')).toHaveLength(2);
  expect(err).toContain(`create-gauntlet-plugin: Unexpected ${sentence}`);
  expect(readdirSync(cwd)).toEqual([]);
});

it('leaves a folder alone that is there already', () => {
  const cwd = empty();
  mkdirSync(join(cwd, 'gauntlet-metric-mine'));
  const { code, err } = run(['metric', 'mine'], cwd);
  expect(code).toBe(2);
  expect(err).toContain('Unexpected folder that is there already at');
  expect(readdirSync(join(cwd, 'gauntlet-metric-mine'))).toEqual([]);
});
