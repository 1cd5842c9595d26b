import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { GauntletError, type RuntimeFacts, unexpected } from '@gauntlet/core';
import type { Package } from '../discover.js';

/** What the trial prints. */
export type TrialResult = { readonly facts: RuntimeFacts | null } | { readonly problem: string };

const TRIAL = fileURLToPath(new URL('trial.js', import.meta.url));

/** Milliseconds in which a runtime must have computed something. */
const PATIENCE = 60_000;

/**
 * Has an adapter try its runtime in a process apart, since broken native code can take its process down.
 *
 * @returns null where the adapter has nothing to say of its runtime.
 */
export async function tryRuntime(adapter: Package, signal: AbortSignal): Promise<RuntimeFacts | null> {
  const child = spawn(process.execPath, [TRIAL, adapter.name, adapter.folder], {
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: PATIENCE,
    signal,
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const ended = await new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killed) => resolve(killed ?? `exit code ${code}`));
  });
  const result = lastLine(printed);
  if (result === undefined) {
    throw unexpected({
      found: `runtime that takes its process down (${ended})`,
      at: adapter.name,
      expected: 'one that works on this machine',
      remedy: 'Install what the adapter runs models with again, or another version of it.',
    });
  }
  if ('problem' in result) throw new GauntletError('input', result.problem);
  return result.facts;
}

/** The result is the last line: a runtime may print as well. */
function lastLine(printed: string): TrialResult | undefined {
  try {
    return JSON.parse(printed.trimEnd().split('\n').at(-1)!) as TrialResult;
  } catch {
    return undefined;
  }
}
