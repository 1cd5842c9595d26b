import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as core from '@gauntlet/core';
import type { Plugin } from '@gauntlet/core';
import { testReadme } from '@gauntlet/testing';
import { blocksIn, markdownIn, text } from './pages.js';

const folders = (parent: string) => readdirSync(parent).map((name) => `${parent}/${name}`);

/** The anchors of headings, as GitHub and the site make them. */
function anchorsIn(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of page.replace(/^```[^]*?^```/gm, '').matchAll(/^#+ (.*)$/gm)) {
    const slug = heading!
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replace(/\s/g, '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Whether a link leads to a file that is there, and to a heading in it. */
function leads(from: string, link: string): boolean {
  const [path, anchor] = link.split('#');
  const target = path === '' ? from : join(dirname(from), path!);
  if (!existsSync(target)) return false;
  return anchor === undefined || (target.endsWith('.md') && anchorsIn(text(target)).has(anchor));
}

describe.each(markdownIn('.'))('%s', (path) => {
  const page = text(path);

  it('links to what is there', () => {
    const prose = page.replace(/^```[^]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
    const links = [...prose.matchAll(/\]\((?!https?:|mailto:)([^)]+)\)/g)].map(([, link]) => link!);
    expect(links.filter((link) => !leads(path, link))).toEqual([]);
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

it.each(readdirSync('plugins'))('the README of %s says how it is installed and run', (name) => {
  const lines = blocksIn(text(`plugins/${name}/README.md`))
    .filter(({ language }) => language === 'sh')
    .map(({ code }) => code)
    .join('');
  expect(lines).toMatch(new RegExp(`^npm install @gauntlet/${name}\\b`, 'm'));
  expect(lines).toMatch(/^(npx )?gauntlet (audit|train) /m);
});

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
