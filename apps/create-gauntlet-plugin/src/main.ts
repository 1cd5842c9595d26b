import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type KindName, KINDS } from './kinds.js';
import { RUNNERS, type RunnerName } from './runners.js';
import { packageName, standalone } from './scaffold.js';
import { ownVersions } from './versions.js';

/** Where the command runs, and where it writes to. */
export interface Surroundings {
  readonly cwd: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const USAGE = `Usage: npm create gauntlet-plugin <kind> <name> [-- --test node|vitest|jest]

Begins a package for a plugin of Gauntlet in a new folder. Kinds:
${Object.entries(KINDS)
  .map(([kind, { what }]) => `  ${kind.padEnd(13)} ${what}`)
  .join('\n')}

Exit codes:
  0  the package was written
  2  bad input: nothing was written
`;

/** Runs the command; the answer is the exit code. */
export function main(argv: readonly string[], { cwd, out, err }: Surroundings): number {
  const asked = read(argv);
  if (asked === 'help') {
    out(USAGE);
    return 0;
  }
  const problem = typeof asked === 'string' ? asked : taken(resolve(cwd, packageName(asked)));
  if (problem !== null || typeof asked === 'string') {
    err(`create-gauntlet-plugin: ${problem}\n`);
    return 2;
  }
  const title = packageName(asked);
  for (const [path, text] of Object.entries(standalone({ ...asked, versions: ownVersions() }))) {
    const file = join(cwd, title, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  out(`Wrote ${title}. Its tests pass as it is; then make it yours:\n\n`);
  out(`  cd ${title}\n  npm install\n  npm test\n`);
  return 0;
}

interface Asked {
  readonly kind: KindName;
  readonly name: string;
  readonly runner: RunnerName;
}

/** What was asked for, `help`, or what is wrong with it. */
function read(argv: readonly string[]): Asked | string {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { test: { type: 'string', default: 'node' }, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    return unexpected(
      (error as Error).message.split('.')[0]!,
      'the command line',
      'the flag --test',
      'See --help.',
    );
  }
  const [kind, name, ...rest] = parsed.positionals;
  const { test, help } = parsed.values;
  if (help === true) return 'help';
  const kinds = Object.keys(KINDS).join(', ');
  if (kind === undefined || !Object.hasOwn(KINDS, kind)) {
    const found = kind === undefined ? 'no kind' : `kind '${kind}'`;
    return unexpected(found, 'the first argument', `one of ${kinds}`, 'Pass a kind and a name: attack mine.');
  }
  if (name === undefined || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > 60) {
    const found = name === undefined ? 'no name' : `name '${name}'`;
    return unexpected(found, 'the second argument', 'lower case, with hyphens', 'Pass a name such as mine.');
  }
  if (rest.length > 0) {
    return unexpected(`'${rest.join(' ')}'`, 'the command line', 'a kind and a name', 'Leave it out.');
  }
  if (!Object.hasOwn(RUNNERS, test)) {
    return unexpected(`'${test}'`, '--test', Object.keys(RUNNERS).join(', '), 'Name one of these.');
  }
  return { kind: kind as KindName, name, runner: test as RunnerName };
}

const taken = (folder: string) =>
  existsSync(folder)
    ? unexpected('folder that is there already', folder, 'a new one', 'Choose another name.')
    : null;

const unexpected = (found: string, at: string, expected: string, remedy: string) =>
  `Unexpected ${found} at ${at}, expected ${expected}. ${remedy}`;
