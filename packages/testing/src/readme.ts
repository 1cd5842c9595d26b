import { readFileSync, writeFileSync } from 'node:fs';
import { optionFacts, type PluginFacts, type Schema } from '@gauntlet/core';
import { ensure, globalRunner, type Runner } from './runner.js';

const HEADS = ['option', 'type', 'default', 'meaning'];

/** The table of options in Markdown, aligned as Prettier does it; empty where a schema declares none. */
export function optionTable(options: Schema): string {
  const facts = optionFacts(options);
  if (facts.length === 0) return '';
  const cells = facts.map(({ name, type, default: value, description }) => [
    `\`${name}\``,
    type,
    typeof value === 'object' ? JSON.stringify(value) : String(value ?? 'none'),
    description,
  ]);
  const rows = [HEADS, ...cells].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const rule = widths.map((width) => '-'.repeat(width));
  return [rows[0]!, rule, ...rows.slice(1)].map(line).join('\n');
}

/** A table whose first head is `option`. */
const TABLE = /^\| option +\|.*\n(?:\|.*(?:\n|$))*/m;

/**
 * Registers a check that a README holds the table of a plugin's options. With UPDATE_README=1 in the environment the table is written instead.
 *
 * @param readme of the package, as `new URL('../README.md', import.meta.url)`.
 */
export function testReadme(
  plugin: PluginFacts & { readonly options?: Schema },
  readme: URL,
  { runner = globalRunner() }: { readonly runner?: Runner } = {},
): void {
  runner.describe(`the README of ${plugin.id}`, () => {
    runner.it('holds the table of its options', async () => {
      const table = plugin.options === undefined ? '' : optionTable(plugin.options);
      const page = readFileSync(readme, 'utf8');
      const found = TABLE.exec(page)?.[0].trimEnd() ?? '';
      if (process.env['UPDATE_README'] === '1' && found !== '') {
        writeFileSync(
          readme,
          page.replace(found, () => table),
        );
        return;
      }
      ensure(
        found === table,
        `Unexpected table of options in ${readme.pathname}:\n${found}\nexpected:\n${table}\nRun the test with UPDATE_README=1 to write it.`,
      );
    });
  });
}
