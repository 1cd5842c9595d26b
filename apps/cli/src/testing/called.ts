import { main } from '../index.js';
import type { Terminal } from '../terminal.js';

/**
 * The command, called in this process from a folder; nobody watches, and nobody interrupts unless a terminal of the test's own does. It costs a tenth of
 * a process of its own.
 */
export async function called(
  cwd: string,
  args: readonly string[],
  own: Partial<Pick<Terminal, 'err' | 'now' | 'signal'>> = {},
): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const before = process.cwd();
  process.chdir(cwd);
  const status = await main(args, {
    cwd,
    out: (text) => (out += text),
    err: (text) => {
      err += text;
      own.err?.(text);
    },
    interactive: { out: false, err: false },
    now: own.now ?? (() => performance.now() / 1000),
    signal: own.signal ?? new AbortController().signal,
  }).finally(() => process.chdir(before));
  return { status, out, err };
}
