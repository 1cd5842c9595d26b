import { execFile, type ExecFileOptions } from 'node:child_process';
import { z } from 'zod';
import type { Terminal } from './terminal.js';

/** A package that says of itself that it is a plugin. */
export interface Registered {
  readonly package: string;
  readonly version: string;
  readonly summary: string;
}

/** What every plugin has among the keywords of its manifest. */
const KEYWORD = 'gauntlet-plugin';

const answer = z.array(
  z.object({
    name: z.string().regex(/^(@[\w.-]+\/)?[\w.-]+$/),
    version: z.string(),
    description: z.string().optional(),
    keywords: z.array(z.string()).optional(),
  }),
);

/**
 * Asks npm, which knows the user's registry, for the packages with the keyword of plugins; or says why it could not.
 *
 * @param patience milliseconds; apart for tests.
 */
export async function searchRegistry(
  { cwd, signal }: Pick<Terminal, 'cwd' | 'signal'>,
  patience = 5000,
): Promise<{ readonly found: readonly Registered[]; readonly failure: string | null }> {
  const args = ['search', '--json', '--fetch-retries=0', '--searchlimit=250', `keywords:${KEYWORD}`];
  const { out, failure } = await npm(args, { cwd, signal, timeout: patience });
  if (failure !== null) return { found: [], failure };
  const packages = answer.safeParse(parse(out));
  if (!packages.success) return { found: [], failure: 'its answer was not understood' };
  const found = packages.data
    .filter(({ keywords }) => keywords?.includes(KEYWORD))
    .map(({ name, version, description }) => ({
      package: name,
      version: legible(version),
      summary: legible(description ?? 'It says nothing of itself.'),
    }));
  return { found, failure: null };
}

const npm = (args: readonly string[], settings: ExecFileOptions) =>
  new Promise<{ readonly out: string; readonly failure: string | null }>((resolve) => {
    const shell = process.platform === 'win32';
    execFile('npm', args, { ...settings, shell, encoding: 'utf8' }, (error, out) => {
      const why = error?.killed
        ? `no answer within ${settings.timeout! / 1000} s`
        : (codeOf(out) ?? error?.code);
      resolve({ out, failure: error === null ? null : String(why) });
    });
  });

/** The code of an error that npm has printed. */
const codeOf = (out: string) =>
  z.object({ error: z.object({ code: z.string() }) }).safeParse(parse(out)).data?.error.code;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What strangers have written, without what could steer a terminal, and not endless. */
const legible = (text: string) => text.replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 300);
