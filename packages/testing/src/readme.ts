import { readFileSync, writeFileSync } from 'node:fs';
import {
  type Access,
  type Backward,
  type Cost,
  describeBackward,
  optionFacts,
  parseOptions,
  type PluginFacts,
  type Schema,
} from '@gauntlet/core';
import { ensure, globalRunner, type Runner } from './runner.js';

/** What plugins of one kind or another say of themselves. */
export interface Described extends PluginFacts {
  readonly kind?: string;
  readonly access?: Access;
  readonly reads?: string;
  readonly norms?: readonly string[];
  readonly finds?: string;
  readonly byDefault?: boolean;
  readonly backward?: Backward;
  readonly random?: boolean;
  readonly models?: string;
  readonly crafts?: { readonly use: string } | null;
  readonly engine?: string;
  readonly certificate?: { readonly norms: readonly string[]; readonly finds: string };
  readonly cites?: readonly string[];
  readonly options?: Schema;
  /** The most that one run asks about one sample. */
  cost?(options: never): Cost;
}

/** What a plugin says of itself, as a table in Markdown that is aligned as Prettier does it. */
export async function factTable(plugin: Described): Promise<string> {
  const { kind, access, reads, backward, random, models, crafts, certificate, cites = [] } = plugin;
  const norms = plugin.norms ?? certificate?.norms ?? [];
  const finds = plugin.finds ?? certificate?.finds;
  const facts: readonly (readonly [head: string, value: string | undefined])[] = [
    ['plugin', `\`${plugin.id}\``],
    ['is', plugin.summary],
    ['kind', kind],
    ['needs', [access, reads].filter((need) => need !== undefined).join(', ')],
    ['takes', models && { one: 'one model', several: 'several models' }[models]],
    ['norms', norms.join(', ')],
    ['finds', finds && FINDS[finds]],
    [
      'gradients pass',
      backward && describeBackward({ kind: kind as 'preprocessor', backward, random: random === true }),
    ],
    ['draws', random === true ? 'random numbers' : undefined],
    ['crafts with', crafts ? `\`${crafts.use}\`` : undefined],
    ...(await costs(plugin)),
    ['runs', plugin.byDefault === false || kind === 'universal' ? 'only where it is named' : undefined],
    ['engine', plugin.engine && `\`${plugin.engine}\``],
    ['source', cites.map(linked).join(', ')],
  ];
  return table(facts.flatMap(([head, value]) => (value ? [[head, value]] : [])));
}

const FINDS: Readonly<Record<string, string>> = {
  'within-budget': 'a point within epsilon, at each epsilon anew',
  smallest: 'the smallest perturbation, once for every epsilon',
  'at-epsilon': 'whether the radius that it is asked about holds',
  largest: 'the largest radius that it can prove',
};

/** The most that a run asks about a sample, where its options bound that. */
async function costs({ id, kind, cost, options }: Described): Promise<[head: string, value: string][]> {
  if (cost === undefined || options === undefined) return [];
  const most = cost((await parseOptions(options, {}, id)) as never);
  return (['queries', 'gradients'] as const)
    .filter((head) => most[head] > 0)
    .map((head) => [
      head,
      `at most ${most[head]} for a sample${kind === 'universal' ? ' that it is fitted on' : ''}, at the defaults`,
    ]);
}

/** `arXiv:1706.06083` and `doi:10.1109/34.58871`, as links. */
function linked(source: string): string {
  const [, scheme, name] = /^(arXiv|doi):(.+)$/.exec(source) ?? [];
  const host = { arXiv: 'https://arxiv.org/abs/', doi: 'https://doi.org/' }[scheme ?? ''];
  return host === undefined ? source : `[${source}](${host}${name})`;
}

/** The table of options in Markdown, aligned as Prettier does it; empty where a schema declares none. */
export function optionTable(options: Schema): string {
  const facts = optionFacts(options);
  if (facts.length === 0) return '';
  return table([
    ['option', 'type', 'default', 'meaning'],
    ...facts.map(({ name, type, range, default: value, description }) => [
      `\`${name}\``,
      range === null ? type : `${type} ${range}`,
      typeof value === 'object' ? JSON.stringify(value) : String(value ?? 'none'),
      description,
    ]),
  ]);
}

function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  return [rows[0]!, widths.map((width) => '-'.repeat(width)), ...rows.slice(1)].map(line).join('\n');
}

/** A table whose first head is this word. */
const tableOf = (head: string) => new RegExp(`^\\| ${head} +\\|.*\\n(?:\\|.*(?:\\n|$))*`, 'm');

/**
 * Registers a check that a README holds what a plugin says of itself: its facts, and a table of its options. With UPDATE_README=1 in the environment the tables
 * are written instead; facts that are not there yet come below the first paragraph.
 *
 * @param readme of the package, as `new URL('../README.md', import.meta.url)`.
 */
export function testReadme(
  plugin: Described,
  readme: URL,
  { runner = globalRunner() }: { readonly runner?: Runner } = {},
): void {
  const holds = (head: string, what: string, wanted: () => Promise<string>) =>
    runner.it(`holds the table of its ${what}`, async () => {
      const expected = await wanted();
      const page = readFileSync(readme, 'utf8');
      const found = tableOf(head).exec(page)?.[0].trimEnd() ?? '';
      if (process.env['UPDATE_README'] === '1') {
        const old = found === '' && head === 'plugin' ? /^# .*\n\n(?:.+\n)+/.exec(page)?.[0] : found;
        const fresh = found === '' ? `${old}\n${expected}\n` : expected;
        if (old)
          writeFileSync(
            readme,
            page.replace(old, () => fresh),
          );
        return;
      }
      ensure(
        found === expected,
        `Unexpected table of ${what} in ${readme.pathname}:\n${found}\nexpected:\n${expected}\nRun the test with UPDATE_README=1 to write it.`,
      );
    });
  runner.describe(`the README of ${plugin.id}`, () => {
    holds('plugin', 'facts', () => factTable(plugin));
    holds('option', 'options', async () => (plugin.options === undefined ? '' : optionTable(plugin.options)));
  });
}
