import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { unexpected } from '@gauntlet/core';
import { distance } from 'fastest-levenshtein';

/** A package that is installed, found without loading it. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

/** An installed package whose name says that it is a plugin: `@gauntlet/attack-pgd` is `pgd` of the family `attack`. */
export interface Installed extends Package {
  readonly family: string;
  readonly short: string;
}

const FAMILIES = ['adapter', 'attack', 'certifier', 'dataset', 'defence', 'detector', 'metric', 'preset'];
const NAMED = new RegExp(`^(?:@gauntlet/|(?:@[^/]+/)?gauntlet-)(${FAMILIES.join('|')})-(.+)$`);

/**
 * The plugins that are installed where modules would be looked for from `roots`, nearest first; of two of one name, the first.
 */
export function findPlugins(roots: readonly string[]): readonly Installed[] {
  const found = new Map<string, Installed>();
  for (const known of findPackages(roots, (name) => NAMED.test(name))) {
    const [, family, short] = NAMED.exec(known.name)!;
    if (!found.has(known.name)) found.set(known.name, { ...known, family: family!, short: short! });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every package of Gauntlet and every plugin that is installed where modules would be looked for from `roots`, nearest first. */
export const findOurs = (roots: readonly string[]): readonly Package[] =>
  findPackages(roots, (name) => name.startsWith('@gauntlet/') || NAMED.test(name));

function findPackages(roots: readonly string[], wanted: (name: string) => boolean): readonly Package[] {
  return moduleFolders(roots).flatMap((modules) =>
    packageNames(modules)
      .filter(wanted)
      .flatMap((name) => readPackage(modules, name) ?? []),
  );
}

/** A package by its full name, found where modules would be looked for from `roots`. */
export function findPackage(roots: readonly string[], name: string): Package | null {
  if (!/^(@[\w.-]+\/)?[\w.-]+$/.test(name) || name.includes('..')) return null;
  for (const modules of moduleFolders(roots)) {
    const known = readPackage(modules, name);
    if (known !== null) return known;
  }
  return null;
}

function moduleFolders(roots: readonly string[]): readonly string[] {
  const folders = roots.flatMap((root) => {
    const up = [root];
    while (dirname(up.at(-1)!) !== up.at(-1)) up.push(dirname(up.at(-1)!));
    return up.map((folder) => join(folder, 'node_modules'));
  });
  return [...new Set(folders)].filter((folder) => existsSync(folder));
}

const list = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

const packageNames = (modules: string): readonly string[] =>
  list(modules).flatMap((name) =>
    name.startsWith('@') ? list(join(modules, name)).map((own) => `${name}/${own}`) : [name],
  );

/** The part of a manifest that is read here. */
export interface Manifest {
  readonly version?: string;
  readonly main?: string;
  readonly exports?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** The manifest of the package in a folder. */
export const readManifest = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

function readPackage(modules: string, name: string): Package | null {
  const folder = join(modules, name);
  try {
    return { name, folder, version: readManifest(folder).version ?? '0.0.0' };
  } catch {
    return null;
  }
}

/** Imports a package from the folder it was found in. */
export async function importPackage({ name, folder }: Package): Promise<{ readonly default?: unknown }> {
  const { exports, main } = readManifest(folder);
  const entry = pick(exports) ?? main ?? 'index.js';
  try {
    return (await import(pathToFileURL(join(folder, entry)).href)) as { readonly default?: unknown };
  } catch (cause) {
    const message = String((cause as Error | null)?.message ?? cause);
    const missing = /Cannot find package '([^']+)'/.exec(message)?.[1];
    throw unexpected(
      missing === undefined
        ? {
            found: `package that fails when it is imported (${message.split('\n')[0]})`,
            at: name,
            expected: 'one that can be imported',
            remedy: 'Install another version of it, or remove it.',
            code: 'internal',
          }
        : {
            found: `no package '${missing}'`,
            at: name,
            expected: 'everything that it needs',
            remedy: `Run npm install ${missing}.`,
          },
      { cause },
    );
  }
}

/** What `exports` gives to an import of the package's name. */
function pick(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  for (const [key, value] of Object.entries(exports)) {
    if (!['.', 'node', 'import', 'default'].includes(key)) continue;
    const entry = pick(value);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** The candidate that is spelt most like `name`, if any comes near. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, by: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.by - b.by)[0];
  return ranked !== undefined && ranked.by <= Math.max(2, name.length / 2) ? ranked.candidate : undefined;
}
