import { spawnSync } from 'node:child_process';
import { interleaved } from './measure.js';

/** Median milliseconds that Node takes to do nothing, and that the command takes to say its version. */
export function timeStartup(program: string, turns: number): Promise<Record<'node' | 'version', number>> {
  const run = (...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`Unexpected exit code ${status} of node ${args.join(' ')}: ${stderr}`);
  };
  return interleaved({ node: () => run('-e', '0'), version: () => run(program, '--version') }, turns);
}
