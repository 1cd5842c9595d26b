import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defineAttack } from '@gauntlet/core';
import { z } from 'zod';
import { type Described, factTable, optionTable, testReadme } from './readme.js';

const options = z.strictObject({
  steps: z.int().min(1).default(40).describe('gradient steps'),
  loss: z.enum(['ce', 'dlr']).default('ce').describe('what is climbed'),
});

const OPTIONS = `| option  | type           | default | meaning         |
| ------- | -------------- | ------- | --------------- |
| \`steps\` | integer from 1 | 40      | gradient steps  |
| \`loss\`  | ce \\| dlr      | ce      | what is climbed |`;

const plugin = { id: 'attack/mine', summary: 'Mine.', options };

const FACTS = `| plugin | \`attack/mine\` |
| ------ | ------------- |
| is     | Mine.         |`;

const PAGE = `# Mine\n\n${FACTS}\n\n${OPTIONS}\n`;

/** What the checks of a README say: nothing if they pass. */
async function checked(page: string, own: Described = plugin) {
  const path = join(mkdtempSync(join(tmpdir(), 'gauntlet-readme-')), 'README.md');
  writeFileSync(path, page);
  let said = '';
  const bodies: (() => Promise<void>)[] = [];
  const runner = {
    describe: (_: string, body: () => void) => body(),
    it: (_: string, body: () => Promise<void>) => void bodies.push(body),
  };
  testReadme(own, pathToFileURL(path), { runner });
  for (const body of bodies) await body().catch((error: Error) => void (said += error.message));
  return { said, page: readFileSync(path, 'utf8') };
}

it('writes a table of options as Prettier aligns it', () => expect(optionTable(options)).toBe(OPTIONS));

it('writes no table where there are no options', () => expect(optionTable(z.strictObject({}))).toBe(''));

it('writes all that an attack says of itself', async () => {
  const attack = defineAttack({
    ...plugin,
    cites: ['arXiv:1706.06083', 'doi:10.1109/34.58871', 'a book'],
    access: 'gradients',
    norms: ['linf', 'l2'],
    finds: 'within-budget',
    byDefault: false,
    cost: ({ steps }) => ({ gradients: steps, queries: steps + 1 }),
    run: async ({ x }) => x,
  });
  const rows = (await factTable(attack)).split('\n').map((row) => row.replace(/ +/g, ' '));
  expect(rows.filter((_, i) => i !== 1)).toEqual([
    '| plugin | `attack/mine` |',
    '| is | Mine. |',
    '| kind | evasion |',
    '| needs | gradients |',
    '| norms | linf, l2 |',
    '| finds | a point within epsilon, at each epsilon anew |',
    '| queries | at most 41 for a sample, at the defaults |',
    '| gradients | at most 40 for a sample, at the defaults |',
    '| runs | only where it is named |',
    '| source | [arXiv:1706.06083](https://arxiv.org/abs/1706.06083), [doi:10.1109/34.58871](https://doi.org/10.1109/34.58871), a book |',
  ]);
});

it.each([
  ['both tables', PAGE, ''],
  ['text after them', `${PAGE}\nMore.\n`, ''],
  ['another default', PAGE.replace('40  ', '41  '), 'Unexpected table of options'],
  ['another summary', PAGE.replace('Mine. ', 'Thine.'), 'Unexpected table of facts'],
  ['no options', `# Mine\n\n${FACTS}\n`, 'Unexpected table of options'],
  ['no facts', `# Mine\n\n${OPTIONS}\n`, 'Unexpected table of facts'],
])('looks at a page with %s', async (_, page, said) => {
  expect((await checked(page)).said).toMatch(said === '' ? /^$/ : new RegExp(said));
});

it('accepts a page without a table of options for a plugin without any', async () => {
  expect((await checked(`# Mine\n\n${FACTS}\n`, { id: 'attack/mine', summary: 'Mine.' })).said).toBe('');
});

it.each([
  [
    'mends the tables',
    `# Mine\n\nIt is mine.\n\n| plugin | is |\n| --- | --- |\n\n| option | default |\n| --- | --- |\n\nMore.\n`,
  ],
  [
    'writes facts below the first paragraph',
    `# Mine\n\nIt is mine.\n\n| option | default |\n| --- | --- |\n\nMore.\n`,
  ],
])('%s where that is asked for', async (_, before) => {
  process.env['UPDATE_README'] = '1';
  const { page } = await checked(before);
  delete process.env['UPDATE_README'];
  expect(page).toBe(`# Mine\n\nIt is mine.\n\n${FACTS}\n\n${OPTIONS}\n\nMore.\n`);
});
