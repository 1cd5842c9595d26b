import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GauntletError, unexpected } from '@gauntlet/core';
import type { Answer, FirstAnswer, Question } from './child.js';
import { findCulprit } from './culprit.js';
import { legible } from './legible.js';
import type { OpenOnnxSettings } from './open.js';
import type { Prepared } from './prepared.js';

/** What a model may use while it is tried in a process of its own. */
export interface TrialLimits {
  /** Bytes of address space, enforced on Linux. */
  readonly memory?: number;
  /** Seconds until the process is ended. */
  readonly seconds?: number;
}

/** A process apart in which models are loaded and run for the first time. */
export interface Trial {
  /**
   * Prepares a model there, and runs it once.
   *
   * @throws GauntletError for a model that cannot be used, or that took the process down; the next call starts another process.
   */
  prepare(path: string, settings: OpenOnnxSettings): Promise<Prepared>;
  /** How many processes have been started. */
  readonly started: number;
  /** The id of the running process. */
  readonly pid: number | undefined;
  close(): Promise<void>;
}

/** Node's own reservations take about a gigabyte of address space; copies of the file, in text and as weights, come on top. */
const memoryFor = (bytes: number) => 6 * 2 ** 30 + 10 * bytes;

/** So many bytes of external data fit the limits of any file. */
const EXTERNAL = 2 ** 29;

/** Ten megabytes a second is far slower than any disk. */
const secondsFor = (bytes: number) => 60 + bytes / 10_000_000;

/** Opens a place for trials; processes are started when they are needed. */
export async function openTrial(limits: TrialLimits = {}): Promise<Trial> {
  const folder = await mkdtemp(join(tmpdir(), 'gauntlet-'));
  let child: ChildProcess | undefined;
  let started = 0;
  return {
    get started() {
      return started;
    },
    get pid() {
      return child?.pid;
    },
    async prepare(path, asked) {
      // A function cannot be sent.
      const settings = { ...asked };
      delete settings.onNotice;
      const bytes = await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
      const tried = <A extends Answer | FirstAnswer = Answer>(
        size: number,
        external: number,
        only: Pick<Question, 'first'> = {},
      ) => {
        if (child === undefined || child.killed || child.exitCode !== null || child.signalCode !== null) {
          child = start(folder, limits.memory ?? memoryFor(size));
          started++;
        }
        const question = { path, settings, folder, external, ...only };
        return ask<A>(child, question, limits.seconds ?? secondsFor(size));
      };
      let [size, external] = [bytes, EXTERNAL];
      let answer = await tried(size, external);
      if ('external' in answer) {
        child?.kill('SIGKILL');
        [size, external] = [bytes + answer.external, answer.external];
        answer = await tried(size, external);
      }
      if ('external' in answer) throw changing(path);
      if ('died' in answer) {
        const node = answer.crashed
          ? await findCulprit((first) => tried<FirstAnswer>(size, external, { first }))
          : undefined;
        throw dead(path, answer, node);
      }
      if ('error' in answer) throw new GauntletError(answer.error.code, answer.error.message);
      const file = join(folder, answer.file);
      const model = await readFile(file);
      await rm(file);
      return { ...answer.prepared, model, types: new Map(answer.types) };
    },
    async close() {
      child?.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

const changing = (path: string) =>
  unexpected({
    found: 'external data that grow',
    at: path,
    expected: 'files that stay as they are',
    remedy: 'Wait until they are written.',
  });

/** Prepares one model in a process of its own. */
export async function prepareApart(path: string, settings: OpenOnnxSettings): Promise<Prepared> {
  const trial = await openTrial(settings.trial === true ? {} : settings.trial || {});
  try {
    return await trial.prepare(path, settings);
  } finally {
    await trial.close();
  }
}

/** The child's program: beside this file when built; in a checkout, tests run from sources and the build stands next door. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../dist/child.js' : './child.js', import.meta.url),
);

function start(folder: string, memory: number): ChildProcess {
  const program = [process.execPath, `--max-old-space-size=${Math.ceil(memory / 2 ** 20)}`, PROGRAM];
  // The shell sets the limits on itself and then becomes the program.
  const limited =
    process.platform === 'linux'
      ? [
          '/bin/sh',
          '-c',
          'ulimit -c 0; ulimit -v "$0"; exec "$@"',
          String(Math.ceil(memory / 1024)),
          ...program,
        ]
      : program;
  const [command, ...args] = limited as [string, ...string[]];
  return spawn(command, args, {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '', TMPDIR: folder, TEMP: folder, TMP: folder },
  });
}

/** How a process ended that was asked. */
export interface Death {
  readonly died: string;
  /** Whether something inside took it down; else it was killed, or its time was over. */
  readonly crashed: boolean;
  readonly cause?: unknown;
}

const dead = (path: string, { died, cause }: Death, node: string | undefined) =>
  unexpected(
    {
      found: `${node === undefined ? 'model' : 'op'} that ${died}`,
      at: node === undefined ? path : `${legible(node)} of ${path}`,
      expected: 'one that loads and runs within its limits of memory and time',
      remedy: 'Do not use this file, or export the model again.',
    },
    { cause },
  );

/** Signals that a process gets from others. */
const FROM_OUTSIDE: ReadonlySet<string | null> = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP']);

/** Asks the child and waits for its answer, its death, or the end of its time. */
function ask<A extends Answer | FirstAnswer>(
  child: ChildProcess,
  question: Question,
  seconds: number,
): Promise<A | Death> {
  return new Promise((resolve) => {
    const died = (how: string, more: Partial<Death> = {}) =>
      end(() => {
        child.kill('SIGKILL');
        resolve({ died: how, crashed: false, ...more });
      });
    const timer = setTimeout(() => died(`gave no answer within ${Math.round(seconds)} s`), seconds * 1000);
    const onMessage = (answer: unknown) => end(() => resolve(answer as A));
    const onExit = (code: number | null, signal: string | null) =>
      died(`took its process down (${signal ?? `exit code ${code}`})`, {
        crashed: !FROM_OUTSIDE.has(signal),
      });
    const onError = (cause: Error) =>
      died(`cannot be tried in ${basename(process.execPath)} (${cause.message})`, { cause });
    const end = (then: () => void) => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit).off('error', onError);
      then();
    };
    child.on('message', onMessage).on('exit', onExit).on('error', onError);
    child.send(question, (cause) => cause && onError(cause));
  });
}
