import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { optionTable, testReadme } from './readme.js';

const options = z.strictObject({
  steps: z.int().default(40).describe('gradient steps'),
  loss: z.enum(['ce', 'dlr']).default('ce').describe('what is climbed'),
});

const TABLE = `| option  | type      | default | meaning         |
| ------- | --------- | ------- | --------------- |
| \`steps\` | integer   | 40      | gradient steps  |
| \`loss\`  | ce \\| dlr | ce      | what is climbed |`;

const plugin = { id: 'attack/mine', summary: 'Mine.', options };

/** What the check of a README says: nothing if it passes. */
async function checked(page: string, own: Parameters<typeof testReadme>[0] = plugin) {
  const path = join(mkdtempSync(join(tmpdir(), 'gauntlet-readme-')), 'README.md');
  writeFileSync(path, page);
  let said = '';
  const bodies: Promise<void>[] = [];
  const runner = {
    describe: (_: string, body: () => void) => body(),
    it: (_: string, body: () => Promise<void>) => void bodies.push(body()),
  };
  testReadme(own, pathToFileURL(path), { runner });
  await Promise.all(bodies).catch((error: Error) => void (said = error.message));
  return { said, page: readFileSync(path, 'utf8') };
}

it('writes a table as Prettier aligns it', () => expect(optionTable(options)).toBe(TABLE));

it('writes no table where there are no options', () => expect(optionTable(z.strictObject({}))).toBe(''));

it.each([
  ['the table', `# Mine\n\n${TABLE}\n\nMore.\n`, ''],
  ['the table at the end', `${TABLE}\n`, ''],
  ['another default', `${TABLE.replace('40  ', '41  ')}\n`, 'Unexpected table of options'],
  ['no table', '# Mine\n', 'Unexpected table of options'],
])('looks at a page with %s', async (_, page, said) => {
  expect((await checked(page)).said).toContain(said);
  if (said === '') expect((await checked(page)).said).toBe('');
});

it('accepts a page without a table for a plugin without options', async () => {
  expect((await checked('# Mine\n', { id: 'metric/mine', summary: 'Mine.' })).said).toBe('');
});

it('mends the table where that is asked for', async () => {
  process.env['UPDATE_README'] = '1';
  const { page } = await checked('# Mine\n\n| option | default |\n| --- | --- |\n\nMore.\n');
  delete process.env['UPDATE_README'];
  expect(page).toBe(`# Mine\n\n${TABLE}\n\nMore.\n`);
});
