import { main } from '../index.js';
import type { Terminal } from '../terminal.js';

/** The command, called in this process from a folder; nobody watches, and nobody interrupts unless a terminal of the test's own does. */
export async function called(
  cwd: string,
  args: readonly string[],
  own: Partial<Pick<Terminal, 'err' | 'now' | 'signal'>> = {},
): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
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
  });
  return { status, out, err };
}
