import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isGauntletError, unexpected } from '@gauntlet/core';

/** A configuration as it was found, unchecked. */
export interface FoundConfig {
  /** As the user calls it. */
  readonly name: string;
  /** The folder that its paths start from. */
  readonly folder: string;
  readonly value: unknown;
}

const KINDS = ['ts', 'mts', 'js', 'mjs', 'json', 'yaml', 'yml'];
const NAMES = KINDS.map((kind) => `gauntlet.config.${kind}`);

/**
 * Reads a configuration: TypeScript or JavaScript, which is run and whose default export is taken, JSON, or YAML.
 *
 * @param named the file; null: the `gauntlet.config.*` of the working folder.
 * @throws GauntletError `input` where there is none, several, or one that cannot be read.
 */
export async function loadConfig(cwd: string, named: string | null): Promise<FoundConfig> {
  const name = named ?? onlyOf(NAMES.filter((each) => existsSync(join(cwd, each))));
  const path = resolve(cwd, name);
  if (!existsSync(path)) throw missing(name);
  try {
    return { name, folder: dirname(path), value: await read(path, name) };
  } catch (cause) {
    if (isGauntletError(cause)) throw cause;
    const [first] = String((cause as Error).message).split('\n');
    throw unexpected(
      {
        found: `failure (${first})`,
        at: name,
        expected: 'a configuration that can be read',
        remedy: 'Mend the file.',
      },
      { cause },
    );
  }
}

const missing = (at: string) =>
  unexpected({
    found: 'no file',
    at,
    expected: 'a configuration of the gate',
    remedy: 'Name one with --config, or write gauntlet.config.yaml.',
  });

function onlyOf(found: readonly string[]): string {
  const [one, other] = found;
  if (one === undefined) throw missing('gauntlet.config.*');
  if (other === undefined) return one;
  throw unexpected({
    found: `both ${one} and ${other}`,
    at: 'the working folder',
    expected: 'one configuration',
    remedy: 'Name one with --config.',
  });
}

async function read(path: string, name: string): Promise<unknown> {
  const text = () => readFile(path, 'utf8');
  const kind = extname(path).slice(1);
  if (kind === 'json') return JSON.parse(await text());
  if (kind === 'yaml' || kind === 'yml') return (await import('yaml')).parse(await text());
  if (kind === 'js' || kind === 'mjs') return ((await import(pathToFileURL(path).href)) as Exports).default;
  if (kind === 'ts' || kind === 'mts') return typescript(path);
  throw unexpected({
    found:
      extname(path) === '' ? 'configuration without an extension' : `configuration of the kind '.${kind}'`,
    at: name,
    expected: `one of ${KINDS.map((each) => `.${each}`).join(', ')}`,
    remedy: 'Rename the file by what it holds.',
  });
}

interface Exports {
  readonly default?: unknown;
}

/** Node 20 does not run TypeScript. `@gauntlet/cli/config` is found wherever the file lies. */
async function typescript(path: string): Promise<unknown> {
  const { createJiti } = await import('jiti');
  const virtualModules = { '@gauntlet/cli/config': await import('./config.js') };
  const jiti = createJiti(path, { fsCache: false, moduleCache: false, virtualModules });
  return jiti.import(path, { default: true });
}
