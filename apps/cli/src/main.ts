import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { type ErrorCode, isGauntletError } from '@gauntlet/core';
import type { Status } from '@gauntlet/gate';
import { createProgram } from './program.js';
import type { Terminal } from './terminal.js';
import { usageError } from './usage.js';

/** The exit codes of the command line, as shells and CI expect them. */
export const EXIT = { ok: 0, failed: 1, input: 2, inconclusive: 3, internal: 70, interrupted: 130 } as const;

const CODES: Record<ErrorCode, number> = {
  input: EXIT.input,
  unsupported: EXIT.input,
  interrupted: EXIT.interrupted,
  internal: EXIT.internal,
};

const VERDICTS: Record<Status, number> = {
  passed: EXIT.ok,
  failed: EXIT.failed,
  inconclusive: EXIT.inconclusive,
};

/** Runs the command line. The answer is the exit code; nothing is thrown. */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  let code: number = EXIT.ok;
  const onVerdict = (status: Status) => (code = VERDICTS[status]);
  try {
    await createProgram(ownVersion(), terminal, onVerdict).parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    // No command was named, and the help was printed.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.input;
    return report(error, argv.includes('--verbose'), terminal);
  }
}

function report(thrown: unknown, verbose: boolean, { err, signal }: Terminal): number {
  const error = thrown instanceof CommanderError ? usageError(thrown) : thrown;
  const foreseen = isGauntletError(error);
  for (const line of sentence(error, foreseen).split('\n')) err(`gauntlet: ${line}\n`);
  if (verbose) err(`${stackOf(error)}\n`);
  if (foreseen) return CODES[error.code];
  if (signal.aborted) return EXIT.interrupted;
  return isSystemError(error) ? EXIT.input : EXIT.internal;
}

function sentence(error: unknown, foreseen: boolean): string {
  const message = error instanceof Error || foreseen ? (error as Error).message : String(error);
  if (foreseen) return message;
  if (isSystemError(error)) {
    return `Unexpected failure of the system (${error.code} ${error.syscall}) at ${error.path ?? 'an unnamed file'}, expected it to work. Check permissions and free space.`;
  }
  return `Unexpected defect: ${message.split('\n')[0]}. Run again with --verbose and report what it prints.`;
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'code' in error;

function stackOf(error: unknown): string {
  const { stack, cause } = (error ?? {}) as Error;
  return cause === undefined ? String(stack ?? error) : `${stack}\nCaused by: ${stackOf(cause)}`;
}

const ownVersion = () =>
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
    .version;

/** The process's own streams. The first signal asks the command to end in good order, the second ends it at once. */
function processTerminal(): Terminal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // Whoever read it has seen enough, as `head` has.
      if (error.code !== 'EPIPE') throw error;
    });
  }
  return {
    cwd: process.cwd(),
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    interactive: { out: process.stdout.isTTY === true, err: process.stderr.isTTY === true },
    now: () => performance.now() / 1000,
    signal: controller.signal,
  };
}
