import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KINDS } from '../../apps/create-gauntlet-plugin/dist/index.js';
import { copyOfCheckout } from './copy.mjs';
import { readJson } from './pack.mjs';
import { JEST } from './stranger.mjs';

const kinds = Object.keys(KINDS);
const [last] = kinds.slice(-1);
const nameOf = (kind) => `${KINDS[kind].family}-mine-${kind}`;
const folders = kinds.map((kind) => `plugins/${nameOf(kind)}`);

describe('plugins of every kind, begun by nx in a copy of this repository', () => {
  let copy;
  before(async () => {
    copy = copyOfCheckout();
    // The command takes long to install and to build: it is typed once, when all others are there.
    const require = createRequire(join(copy.folder, 'package.json'));
    const { FsTree, flushChanges } = require('nx/src/generators/tree');
    const generate = require('./tools/generators/plugin.cjs');
    for (const kind of kinds.filter((kind) => kind !== last)) {
      const tree = new FsTree(copy.folder, false);
      await generate(tree, { kind, name: `mine-${kind}` });
      flushChanges(copy.folder, tree.listChanges());
    }
    copy.type('npx', 'nx', 'g', '@gauntlet/tools:plugin', last, `mine-${last}`);
  });
  after(() => copy?.remove());

  it('are in step with nx, type-check and lint', () => {
    copy.type('npx', 'nx', 'sync:check');
    copy.type('npx', 'tsc', '-b');
    const tests = { extends: './tsconfig.tests.json', include: folders.map((folder) => `${folder}/src`) };
    writeFileSync(join(copy.folder, 'tsconfig.mine.json'), JSON.stringify(tests));
    copy.type('npx', 'tsc', '-p', 'tsconfig.mine.json');
    copy.type('npx', 'eslint', ...folders);
    copy.type('npx', 'prettier', '--check', ...folders, 'README.md', '.changeset');
  });

  it('pass their tests, and those of the pages', () => {
    const pages = ['tools/docs/src/docs', 'tools/docs/src/commands', 'apps/cli/src/catalogue'];
    copy.type(process.execPath, ...JEST, ...folders, ...pages);
  });

  it('are named by their changesets', () => {
    for (const kind of kinds) {
      const { name } = readJson(join(copy.folder, `plugins/${nameOf(kind)}/package.json`));
      const page = readFileSync(join(copy.folder, `.changeset/${nameOf(kind)}.md`), 'utf8');
      assert.ok(page.includes(`'${name}': minor`));
    }
  });
});
