import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KINDS } from '../../apps/create-gauntlet-plugin/dist/index.js';
import { readJson, ROOT } from './pack.mjs';
import { startRegistry } from './registry.mjs';
import { typed } from './stranger.mjs';

const kinds = Object.keys(KINDS);
const folderOf = (kind, name) => `gauntlet-${KINDS[kind].family}-${name}`;

const run = (cwd, command, ...args) => typed(cwd, command, args);

const QUIET = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'];

describe('a package begun by npm create', () => {
  let registry;
  let folder;
  const npm = (cwd, ...args) => run(cwd, 'npm', '--userconfig', registry.rc, ...args);
  // A cache of its own: npx would take the package of an earlier run, which has the same name and version.
  const create = (...args) =>
    npm(folder, '--cache', join(folder, 'cache'), 'create', '--yes', 'gauntlet-plugin', ...args);
  const passes = (cwd) => {
    npm(cwd, 'run', 'lint');
    npm(cwd, 'test');
  };
  before(async () => {
    registry = await startRegistry();
    folder = mkdtempSync(join(tmpdir(), 'create-'));
  });
  after(() => {
    registry?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  // One install serves all kinds; by themselves they are installed below.
  describe('of every kind lints, and passes its tests', () => {
    before(() => {
      for (const kind of kinds) create(kind, `mine-${kind}`);
      writeFileSync(join(folder, 'package.json'), '{ "private": true, "workspaces": ["gauntlet-*"] }');
      npm(folder, 'install', ...QUIET);
    });
    for (const kind of kinds) it(kind, () => passes(join(folder, folderOf(kind, `mine-${kind}`))));
  });

  for (const runner of ['node', 'vitest', 'jest']) {
    it(`stands alone, tested by ${runner}, and is found by the command`, () => {
      const alone = mkdtempSync(join(folder, `${runner}-`));
      npm(alone, 'create', '--yes', 'gauntlet-plugin', 'attack', 'mine', '--', '--test', runner);
      const own = join(alone, folderOf('attack', 'mine'));
      npm(own, 'install', ...QUIET);
      passes(own);
      if (runner !== 'node') return;
      const user = join(alone, 'user');
      mkdirSync(user);
      writeFileSync(join(user, 'package.json'), '{ "private": true }');
      npm(own, 'pack', '--silent', '--pack-destination', user);
      npm(user, 'install', ...QUIET, '@gauntlet/cli', './gauntlet-attack-mine-0.0.0.tgz');
      const list = run(user, 'npx', '--no-install', 'gauntlet', 'plugins');
      assert.match(list, /attack\/mine/);
    });
  }
});

describe('a plugin begun by nx in a copy of this repository', () => {
  let copy;
  before(() => {
    copy = mkdtempSync(join(tmpdir(), 'workspace-'));
    const tracked = run(ROOT, 'git', 'ls-files', '-z')
      .split('\0')
      .filter((path) => path !== '');
    for (const path of tracked) cpSync(join(ROOT, path), join(copy, path));
    run(copy, 'cp', '-al', join(ROOT, 'node_modules'), 'node_modules');
    run(copy, 'npx', 'tsc', '-b');
    for (const kind of kinds) run(copy, 'npx', 'nx', 'g', '@gauntlet/tools:plugin', kind, `mine-${kind}`);
  });
  after(() => rmSync(copy, { recursive: true, force: true }));

  const folders = kinds.map((kind) => `plugins/${KINDS[kind].family}-mine-${kind}`);

  it('is in step with nx, type-checks and lints', () => {
    run(copy, 'npx', 'nx', 'sync:check');
    run(copy, 'npx', 'tsc', '-b');
    run(copy, 'npx', 'eslint', ...folders);
    run(copy, 'npx', 'prettier', '--check', ...folders, 'README.md', '.changeset');
  });

  it('passes its tests, and those of the pages', () => {
    const jest = [...'--experimental-vm-modules --no-warnings'.split(' '), 'node_modules/jest/bin/jest.js'];
    run(copy, process.execPath, ...jest, ...folders, 'tools/docs');
  });

  it('is named by its changeset', () => {
    for (const kind of kinds) {
      const { name } = readJson(join(copy, `plugins/${KINDS[kind].family}-mine-${kind}/package.json`));
      const status = run(copy, 'cat', `.changeset/${KINDS[kind].family}-mine-${kind}.md`);
      assert.ok(status.includes(`'${name}': minor`));
    }
  });
});
