import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as core from '@gauntlet/core';
import type { Plugin } from '@gauntlet/core';
import { testReadme } from '@gauntlet/testing';

const text = (path: string) => readFileSync(path, 'utf8');
const folders = (parent: string) => readdirSync(parent).map((name) => `${parent}/${name}`);
const files = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'fixtures/README.md', 'fixtures/peers/README.md'],
  ...['SECURITY.md', 'examples/gate/README.md'],
  ...['docs/README.md', 'docs/tutorial.md'],
  ...readdirSync('docs/decisions').map((name) => `docs/decisions/${name}`),
  ...['packages', 'plugins', 'apps', 'tools'].flatMap(folders).map((folder) => `${folder}/README.md`),
].filter(existsSync);

describe.each(files)('%s', (path) => {
  const page = text(path);

  it('links to files that are there', () => {
    const links = [...page.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link!);
    expect(links.filter((link) => !existsSync(join(dirname(path), link)))).toEqual([]);
  });

  // What follows an example as `text` is what it prints.
  const examples = [...page.matchAll(/```js\n([^]*?)```\n(?:\n```text\n([^]*?)```)?/g)];
  if (examples.length > 0) {
    it('has examples that run', () => {
      for (const [, code, printed] of examples) {
        const args = ['--input-type=module', '--eval', code!];
        const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
        expect(stderr).toBe('');
        if (printed !== undefined) expect(stdout).toBe(printed);
      }
    });
  }
});

it.each(['packages', 'plugins', 'apps'].flatMap(folders))('%s holds the licence', (folder) => {
  // npm packs the licence of a package's own folder only.
  expect(text(`${folder}/LICENSE`)).toBe(text('LICENSE'));
});

for (const folder of folders('plugins')) {
  const { default: plugin } = (await import(`@gauntlet/${folder.replace('plugins/', '')}`)) as {
    default: Plugin;
  };
  testReadme(plugin, pathToFileURL(`${folder}/README.md`));
}

it.each(Object.keys(core).filter((name) => name.startsWith('define')))(
  'ARCHITECTURE.md shows a plugin that is declared by %s',
  (declare) => {
    const links = text('ARCHITECTURE.md')
      .split('\n')
      .filter((line) => line.startsWith('|') && line.includes(`\`${declare}\``))
      .map((line) => /\]\(([^)]+)\)/.exec(line)![1]!);
    expect(links).not.toEqual([]);
    for (const link of links) expect(text(link)).toMatch(new RegExp(`default ${declare}\\b`));
  },
);

describe('README.md', () => {
  const page = () => text('README.md');

  it.each([
    'plugins/attack-pgd/src/index.ts',
    'plugins/attack-pgd/src/index.test.ts',
    'examples/gate/gauntlet.config.ts',
  ])('shows %s as it is', (path) => {
    expect(page()).toContain(`\`\`\`ts\n${text(path)}\`\`\``);
  });

  it.each(readdirSync('plugins'))('lists %s', (name) => {
    expect(page()).toContain(`[\`${name}\`](plugins/${name})`);
  });
});
