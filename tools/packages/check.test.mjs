import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pack, published } from './pack.mjs';
import { lint, problemsOf, typeProblems } from './rules.mjs';
import { drift, PACKED, packTable } from './sizes.mjs';

const to = mkdtempSync(join(tmpdir(), 'packages-'));
after(() => rmSync(to, { recursive: true }));
const all = pack(published(), to);

for (const one of all) {
  describe(one.name, () => {
    it('packs what a package needs, and nothing else', () => assert.deepEqual(problemsOf(one), []));
    it('passes publint', async () => assert.deepEqual(await lint(one), []));
    it('has types that resolve', async () => assert.deepEqual(await typeProblems(one), []));
  });
}

it('the table of sizes holds', () => assert.deepEqual(drift(PACKED, packTable(all)), []));

describe('what is wrong is said', () => {
  const sound = all.find(({ name }) => name === '@gauntlet/attack-pgd');
  const manifest = (change) => ({ ...sound, manifest: { ...sound.manifest, ...change } });
  const texts = (...changes) => ({ ...sound, texts: new Map([...sound.texts, ...changes]) });
  const without = (path) => ({ ...sound, texts: new Map([...sound.texts].filter(([own]) => own !== path)) });

  for (const [broken, problem] of [
    [manifest({ name: '@gauntlet/pgd' }), /named/],
    [manifest({ description: '' }), /description/],
    [manifest({ license: 'MIT' }), /licence/],
    [without('LICENSE'), /licence/],
    [without('README.md'), /README/],
    [manifest({ type: 'commonjs' }), /module/],
    [manifest({ sideEffects: undefined }), /sideEffects/],
    [manifest({ engines: { node: '>=18' } }), /Node/],
    [manifest({ keywords: ['attack'] }), /keywords/],
    [manifest({ scripts: { postinstall: 'true' } }), /script/],
    [manifest({ peerDependencies: { '@gauntlet/core': '^0.1.0' } }), /peer/],
    [manifest({ dependencies: { '@gauntlet/core': '^0.1.0' } }), /peer and as a dependency/],
    [without('dist/index.d.ts'), /exports/],
    [texts(['dist/index.test.js', '']), /packs dist\/index\.test\.js/],
    [texts(['dist/testing/toy.js', '']), /packs dist\/testing/],
    [texts(['dist/index.js.map', '']), /packs dist\/index\.js\.map/],
    [texts(['dist/gone.js', '']), /source is gone/],
    [texts(['dist/index.js', '//# sourceMappingURL=index.js.map']), /source map/],
    [texts(['dist/index.js', `from('${sound.folder}')`]), /machine/],
  ]) {
    it(String(problem), () => assert.match(problemsOf(broken).join('\n'), problem));
  }
});
