import { main } from '../index.js';

/** The command, called in this process from a folder; nobody watches, and nobody interrupts. */
export async function called(
  cwd: string,
  args: readonly string[],
): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const status = await main(args, {
    cwd,
    out: (text) => (out += text),
    err: (text) => (err += text),
    interactive: { out: false, err: false },
    now: () => performance.now() / 1000,
    signal: new AbortController().signal,
  });
  return { status, out, err };
}
