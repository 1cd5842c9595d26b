import { readFileSync } from 'node:fs';
import { type Kind, type KindName, KINDS } from './kinds.js';
import { RUNNERS, type RunnerName, type TestRunner } from './runners.js';
import type { Versions } from './versions.js';

/** Files of a new package, by their paths in its folder. */
export type Files = Readonly<Record<string, string>>;

/** A package of its own, for npm: `gauntlet-attack-mine`. */
export interface Standalone {
  readonly kind: KindName;
  /** In lower case, with hyphens: the last part of the id. */
  readonly name: string;
  readonly runner: RunnerName;
  readonly versions: Versions;
}

/** The name that a package of its own gets. */
export const packageName = ({ kind, name }: Pick<Standalone, 'kind' | 'name'>): string =>
  `gauntlet-${KINDS[kind].family}-${name}`;

/** A package that stands by itself: it builds, lints and passes its tests as it is. */
export function standalone({ kind, name, runner, versions }: Standalone): Files {
  const about: Kind = KINDS[kind];
  const { module, script, devDependencies, files }: TestRunner = RUNNERS[runner];
  const title = packageName({ kind, name });
  const manifest = {
    name: title,
    version: '0.0.0',
    description: `A plugin of Gauntlet: ${about.what}.`,
    keywords: ['gauntlet-plugin', about.family],
    license: 'UNLICENSED',
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.19' },
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    },
    files: ['dist', '!dist/**/*.test.*'],
    scripts: { build: 'tsc', lint: 'eslint src', test: script, prepack: 'tsc' },
    ...(about.needs.length > 0 && { dependencies: pick(versions, needs(about)) }),
    peerDependencies: { '@gauntlet/core': PEER },
    devDependencies: pick(versions, [
      '@eslint/js',
      '@gauntlet/core',
      '@gauntlet/testing',
      '@types/node',
      'eslint',
      'typescript',
      'typescript-eslint',
      ...devDependencies,
    ]),
  };
  return {
    'package.json': json(manifest),
    'tsconfig.json': json({
      compilerOptions: {
        ...{ target: 'es2022', lib: ['es2023'], types: ['node'], module: 'nodenext' },
        ...{ rootDir: 'src', outDir: 'dist', declaration: true, strict: true, skipLibCheck: true },
        ...{ verbatimModuleSyntax: true, isolatedModules: true },
      },
      include: ['src'],
    }),
    'eslint.config.js': ESLINT,
    '.gitignore': 'node_modules/\ndist/\n',
    '.changeset/config.json': json({ access: 'public', baseBranch: 'main', commit: false }),
    '.changeset/first.md': changeset(title, `${title}: ${about.what}.`),
    'README.md': readme(title, { kind, name }),
    'src/index.ts': source(kind, name),
    'src/index.test.ts': test(about, module),
    ...files,
  };
}

/** A package of this repository, in its plugins folder. Its README is compared with its options by tools/docs. */
export function workspace({ kind, name, versions }: Omit<Standalone, 'runner'>, licence: string): Files {
  const about: Kind = KINDS[kind];
  const title = `@gauntlet/${about.family}-${name}`;
  const folder = `plugins/${about.family}-${name}`;
  const manifest = {
    name: title,
    version: '0.0.0',
    description: `${about.what[0]!.toUpperCase()}${about.what.slice(1)}.`,
    keywords: ['gauntlet-plugin', about.family],
    license: 'Apache-2.0',
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.19' },
    exports: {
      '.': {
        '@gauntlet/source': './src/index.ts',
        types: './dist/index.d.ts',
        default: './dist/index.js',
      },
      './package.json': './package.json',
    },
    files: ['dist', '!dist/**/*.test.*', '!dist/**/*.tsbuildinfo'],
    dependencies: pick(versions, needs(about)),
    peerDependencies: { '@gauntlet/core': PEER },
    nx: { tags: ['layer:plugin', `kind:${about.family}`] },
    devDependencies: pick(versions, ['@gauntlet/testing']),
  };
  const inFolder = {
    LICENSE: licence,
    'package.json': json(manifest),
    'tsconfig.json': json({
      extends: '../../tsconfig.base.json',
      compilerOptions: { rootDir: 'src', outDir: 'dist', tsBuildInfoFile: 'dist/tsconfig.tsbuildinfo' },
      include: ['src'],
      exclude: ['src/**/*.test.ts'],
      references: [],
    }),
    'README.md': readme(title, { kind, name }),
    'src/index.ts': source(kind, name),
    'src/index.test.ts': test(about, null),
  };
  return {
    ...Object.fromEntries(Object.entries(inFolder).map(([path, text]) => [`${folder}/${path}`, text])),
    [`.changeset/${about.family}-${name}.md`]: changeset(title, `${title}: ${about.what}.`),
  };
}

/** A minor step of core would leave a caret range of 0.x, and take what depends on it to the next major version. */
const PEER = '>=0.1.0 <1';

const pick = (versions: Versions, names: readonly (keyof Versions)[]) =>
  Object.fromEntries([...names].sort().map((one) => [one, versions[one]]));

const needs = ({ needs }: Kind) => needs.map((one) => (one === 'zod' ? one : (`@gauntlet/${one}` as const)));

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const template = (path: string) => readFileSync(new URL(`../templates/${path}`, import.meta.url), 'utf8');

const source = (kind: KindName, name: string) => template(`${kind}/index.ts`).replaceAll('__NAME__', name);

/** The test: the harness, with the runner of a module or, in this repository, with the global one. */
function test(
  { harness, subject = 'plugin', settings = [], imports = [], setup }: Kind,
  module: string | null,
) {
  const alone = module !== null;
  const given = [...settings, ...(alone ? ['runner'] : [])];
  const blocks = [
    [
      ...imports,
      ...(alone ? [`import { describe, it } from '${module}';`] : []),
      `import { ${[harness, ...(alone ? ['testReadme'] : [])].join(', ')} } from '@gauntlet/testing';`,
      "import plugin from './index.js';",
    ],
    ...(alone ? [['const runner = { describe, it };']] : []),
    ...(setup === undefined ? [] : [[setup]]),
    [
      `${harness}(${subject}${given.length > 0 ? `, { ${given.join(', ')} }` : ''});`,
      ...(alone ? ["testReadme(plugin, new URL('../README.md', import.meta.url), { runner });"] : []),
    ],
  ];
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** The facts of the template under another name, their column as wide as before. */
const facts = (kind: KindName, name: string) =>
  template(`${kind}/facts.md`).replace(/`[^`]*__NAME__` */g, (cell) =>
    cell.trimEnd().replace('__NAME__', name).padEnd(cell.length),
  );

function readme(title: string, { kind, name }: Pick<Standalone, 'kind' | 'name'>): string {
  const about: Kind = KINDS[kind];
  const options = template(`${kind}/options.md`);
  const cites = /^ {2}cites: /m.test(template(`${kind}/index.ts`));
  const table = options === '' ? [] : ['## Options', options.trimEnd()];
  return `${[
    `# ${title}`,
    `A plugin of Gauntlet: ${about.what}.`,
    facts(kind, name).trimEnd(),
    ['```sh', `npm install ${title}`, about.use(name), '```'].join('\n'),
    ...table,
    ...(cites ? ['## How it differs from the paper', 'Say here what you left out, added or decided.'] : []),
  ].join('\n\n')}\n`;
}

const changeset = (title: string, text: string) => `---\n'${title}': minor\n---\n\n${text}\n`;

const ESLINT = `import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(js.configs.recommended, ...tseslint.configs.recommended, {
  languageOptions: { parserOptions: { tsconfigRootDir: import.meta.dirname } },
});
`;
