/** Tries the runtime of an adapter, whose name and folder are the arguments, and prints a `TrialResult`. */
import { isGauntletError, type Plugin } from '@gauntlet/core';
import { importPackage } from '../discover.js';
import type { TrialResult } from './runtime.js';

async function attempt(name: string, folder: string): Promise<TrialResult> {
  try {
    const { default: plugin } = await importPackage({ name, folder, version: '' });
    const { runtime } = plugin as Plugin & { kind: 'adapter' };
    return { facts: (await runtime?.()) ?? null };
  } catch (error) {
    if (isGauntletError(error)) return { problem: error.message };
    return { problem: `Unexpected defect of the runtime at ${name}: ${String(error)}. Install it again.` };
  }
}

const [name, folder] = process.argv.slice(2);
console.log(`\n${JSON.stringify(await attempt(name!, folder!))}`);
