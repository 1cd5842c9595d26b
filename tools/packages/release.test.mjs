import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { satisfies } from 'semver';
import { copyOfCheckout } from './copy.mjs';
import { published, readJson, ROOT } from './pack.mjs';
import { startRegistry } from './registry.mjs';
import { environment, JEST, typed } from './stranger.mjs';

const AT = 'https://example.invalid/owner/gauntlet';
const directories = published().map((folder) => relative(ROOT, folder));

describe('a release, by the commands of its workflow, in a copy of this checkout', () => {
  let copy;
  let registry;
  const workflow = readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8');
  const manifest = (directory) => readJson(join(copy.folder, directory, 'package.json'));
  const run = (step) => {
    const [, script] = new RegExp(`^ +${step}: npm run (\\S+)$`, 'm').exec(workflow);
    typed(copy.folder, 'npm', ['run', script], {
      ...environment(),
      npm_config_userconfig: registry.rc,
      GITHUB_SERVER_URL: 'https://example.invalid',
      GITHUB_REPOSITORY: 'owner/gauntlet',
      GITHUB_SHA: 'c0ffee',
    });
  };
  before(async () => {
    registry = await startRegistry({ empty: true });
    copy = copyOfCheckout();
    copy.type('git', 'init', '--quiet', '--initial-branch', 'main');
    // A minor step of what all others build on: the worst that can happen to ranges.
    writeFileSync(
      join(copy.folder, '.changeset/minor.md'),
      "---\n'@gauntlet/core': minor\n'@gauntlet/tensor': minor\n---\n\nMore.\n",
    );
  });
  after(() => {
    registry?.stop();
    copy?.remove();
  });

  it('makes versions that stay below 1.0.0, and whose ranges hold', () => {
    run('version');
    const versions = Object.fromEntries(
      directories.map(manifest).map(({ name, version }) => [name, version]),
    );
    assert.equal(versions['@gauntlet/core'], '0.2.0');
    assert.deepEqual(
      Object.entries(versions).filter(([, version]) => !version.startsWith('0.')),
      [],
    );
    for (const { name, dependencies, peerDependencies } of directories.map(manifest))
      for (const [other, range] of Object.entries({ ...dependencies, ...peerDependencies }))
        if (versions[other] !== undefined)
          assert.ok(satisfies(versions[other], range), `${name} asks for ${other} ${range}`);
  });

  it('leaves a checkout that is formatted, and begins plugins with these versions', () => {
    copy.type('npx', 'prettier', '--check', '{packages,plugins,apps}/*/{CHANGELOG.md,package.json}');
    copy.type(process.execPath, ...JEST, 'apps/create-gauntlet-plugin');
  });

  it('publishes packages that say where they come from, and can be installed', () => {
    run('publish');
    const user = mkdtempSync(join(tmpdir(), 'user-'));
    writeFileSync(join(user, 'package.json'), '{ "private": true }');
    const npm = ['--userconfig', registry.rc, '--no-audit', '--no-fund', '--ignore-scripts'];
    typed(user, 'npm', ['install', ...npm, '@gauntlet/cli', '@gauntlet/attack-pgd', '@gauntlet/di-tsyringe']);
    assert.match(typed(user, 'npx', ['gauntlet', 'plugins']), /attack\/pgd/);
    // What this checkout finds its sources by leads to none here.
    const script = "import('@gauntlet/attack-pgd').then(({ default: { id } }) => console.log(id))";
    const printed = typed(user, process.execPath, ['--conditions=@gauntlet/source', '--eval', script]);
    assert.equal(printed, 'attack/pgd\n');
    const own = join(user, 'node_modules/@gauntlet/attack-pgd');
    const { repository, homepage, bugs } = readJson(join(own, 'package.json'));
    assert.deepEqual(
      { repository, homepage, bugs },
      {
        repository: { type: 'git', url: `git+${AT}.git`, directory: 'plugins/attack-pgd' },
        homepage: `${AT}/tree/HEAD/plugins/attack-pgd#readme`,
        bugs: `${AT}/issues`,
      },
    );
    const links = [...readFileSync(join(own, 'README.md'), 'utf8').matchAll(/\]\(([^)]+)\)/g)].map(
      ([, link]) => link,
    );
    assert.ok(links.includes(`${AT}/blob/c0ffee/docs/decisions/0001-log-odds.md`), links.join('\n'));
    assert.deepEqual(
      links.filter((link) => !/^(https:|#)/.test(link)),
      [],
    );
    rmSync(user, { recursive: true, force: true });
  });
});
