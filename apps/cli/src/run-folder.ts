import { appendFile, mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import {
  type Certified,
  type CertifiedShard,
  type Io,
  type Plan,
  type Row,
  type Shard,
  unexpected,
} from '@gauntlet/core';
import { differences } from '@gauntlet/gate';
import { arraysOf, bytesOf } from './arrays.js';
import { artifactsIn } from './artifacts.js';
import { atomically } from './atomically.js';
import { lock } from './lock.js';
import { isCount } from './values.js';

const PLAN = 'plan.json';
const AUDIT = 'audit.json';
const OUTCOMES = 'outcomes.jsonl';
const CERTIFICATES = 'certificates.jsonl';
const ADVERSARIAL = 'adversarial.npz';
/** The folder of what universal attacks fitted. */
const ARTIFACTS = 'artifacts';
/** What a run in progress needs besides: the numbers of `x` and `x_adv` so far, and a mark per finished shard. */
const PARTS = { x: 'x.part', adversarial: 'x_adv.part', marks: 'shards.part' };
const LOCK = 'run.lock';
const OWN = [PLAN, AUDIT, OUTCOMES, CERTIFICATES, ADVERSARIAL, ARTIFACTS, ...Object.values(PARTS)];

/** The last thing written of a shard: how long the other files are when it is whole. */
interface Mark {
  readonly key: string;
  readonly outcomes: number;
  readonly numbers: number;
  readonly certificates: number;
}

/** The folder of one run, to which finished shards are added. */
export interface RunFolder {
  /** The rows so far, in the order in which they were finished. */
  readonly rows: readonly Row[];
  /** The certificates so far, likewise. */
  readonly certificates: readonly Certified[];
  /** The shards that are finished. */
  readonly done: ReadonlySet<string>;
  /** Whether all of the run was finished before. */
  readonly complete: boolean;
  /** What universal attacks fitted. */
  readonly artifacts: NonNullable<Io['artifacts']>;
  append(shard: Shard | CertifiedShard): Promise<void>;
  /** Publishes adversarial.npz and audit.json, each whole or not at all. */
  finish(audit: object): Promise<void>;
  /** The names of what it publishes. */
  files(): readonly string[];
  /** Lets other processes in. */
  close(): Promise<void>;
}

interface RunSettings {
  /** The folder as the user named it, for messages. */
  readonly name: string;
  /** The text of plan.json, by which a run is known again. */
  readonly plan: string;
  /** One sample's shape. */
  readonly shape: readonly number[];
  readonly overwrite: boolean;
}

/**
 * Opens the folder of a run: a new one, or one that the same plan left unfinished, cut back to its whole shards.
 *
 * @throws GauntletError `input` when the folder holds another run, unless `overwrite` is set.
 */
export async function openRunFolder(folder: string, settings: RunSettings): Promise<RunFolder> {
  const held = (await namesIn(folder, settings.name)).filter((name) => OWN.includes(name));
  const resumed = held.length > 0 && !settings.overwrite;
  if (resumed) await mustBeSame(folder, settings);
  await mkdir(folder, { recursive: true });
  const unlock = await lock(join(folder, LOCK), settings.name);
  try {
    if (!resumed) await startAfresh(folder, held, settings.plan);
    return await goOn(folder, settings.shape, resumed && held.includes(AUDIT), unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function goOn(
  folder: string,
  shape: readonly number[],
  complete: boolean,
  unlock: () => Promise<void>,
): Promise<RunFolder> {
  const marks = complete ? [] : await wholeMarks(folder);
  const at = { ...(marks.at(-1) ?? { key: '', outcomes: 0, numbers: 0, certificates: 0 }) };
  const path = (name: string) => join(folder, name);
  if (!complete) {
    await cut(path(OUTCOMES), at.outcomes);
    await cut(path(CERTIFICATES), at.certificates);
    await cut(path(PARTS.x), at.numbers);
    await cut(path(PARTS.adversarial), at.numbers);
    await writeFile(path(PARTS.marks), marks.map((mark) => `${JSON.stringify(mark)}\n`).join(''));
  }
  const rows = parseLines<Row>(await readFile(path(OUTCOMES), 'utf8'), path(OUTCOMES));
  const proofs = await readFile(path(CERTIFICATES), 'utf8').catch(() => '');
  const certificates = parseLines<Certified>(proofs, path(CERTIFICATES));
  const done = new Set(marks.map(({ key }) => key));

  /** The length of a file's new lines, after they are written. */
  const add = async (name: string, all: readonly object[]) => {
    const lines = all.map((one) => `${JSON.stringify(one)}\n`).join('');
    await appendFile(path(name), lines);
    return Buffer.byteLength(lines);
  };

  return {
    rows,
    certificates,
    done,
    complete,
    artifacts: artifactsIn(path(ARTIFACTS)),
    async append(shard) {
      if ('rows' in shard) {
        await appendFile(path(PARTS.x), bytesOf(shard.x.data));
        await appendFile(path(PARTS.adversarial), bytesOf(shard.adversarial.data));
        at.outcomes += await add(OUTCOMES, shard.rows);
        at.numbers += shard.x.data.byteLength;
        for (const row of shard.rows) rows.push(row);
      } else {
        at.certificates += await add(CERTIFICATES, shard.certified);
        for (const one of shard.certified) certificates.push(one);
      }
      at.key = shard.key;
      await add(PARTS.marks, [at satisfies Mark]);
      done.add(shard.key);
    },
    async finish(audit) {
      const { writeNpz } = await import('@gauntlet/dataset-npz');
      const numbers = (name: string) => createReadStream(path(name), { highWaterMark: 1 << 20 });
      await atomically(path(ADVERSARIAL), (to) =>
        writeNpz(to, arraysOf(rows, shape, numbers(PARTS.x), numbers(PARTS.adversarial))),
      );
      await atomically(path(AUDIT), (to) => writeFile(to, `${JSON.stringify(audit, null, 2)}\n`));
      const needless = certificates.length === 0 ? [CERTIFICATES] : [];
      for (const name of [...Object.values(PARTS), ...needless]) await rm(path(name), { force: true });
    },
    files: () => [AUDIT, OUTCOMES, ...(certificates.length > 0 ? [CERTIFICATES] : []), ADVERSARIAL, PLAN],
    close: unlock,
  };
}

async function namesIn(folder: string, name: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw unexpected(
      {
        found: code === 'ENOTDIR' ? 'file' : `folder that cannot be read (${code})`,
        at: name,
        expected: 'a folder for the results',
        remedy: 'Name another folder with --out.',
      },
      { cause },
    );
  }
}

/** The plan that a folder's run was made with, as far as it can be read; without its batch size where that is no number of samples. */
export async function recordedPlan(folder: string): Promise<Partial<Plan> | undefined> {
  const found = parsed(await readFile(join(folder, PLAN), 'utf8').catch(() => ''));
  if (typeof found !== 'object' || found === null) return undefined;
  const { batchSize, ...plan }: Partial<Plan> = found;
  return isCount(batchSize) ? { ...plan, batchSize } : plan;
}

async function mustBeSame(folder: string, { name, plan }: RunSettings): Promise<void> {
  const held = await readFile(join(folder, PLAN), 'utf8').catch(() => null);
  if (held === plan) return;
  const why = firstDifference(parsed(held), parsed(plan));
  throw unexpected({
    found: 'other run',
    at: name,
    expected: 'a new folder, or one that this very command left',
    remedy: `${why === null ? '' : `${why} `}Name another folder with --out, or replace the run with --overwrite.`,
  });
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/** The first place at which two plans differ, with what each has there; null where one of them is no plan. */
export function firstDifference(there: unknown, here: unknown): string | null {
  const [first] = differences(there, here);
  if (first === undefined || first.path === '') return null;
  return `Its ${first.path} is ${first.there}, this one's is ${first.here}.`;
}

async function startAfresh(folder: string, held: readonly string[], plan: string): Promise<void> {
  for (const name of held) await rm(join(folder, name), { recursive: true, force: true });
  await atomically(join(folder, PLAN), (to) => writeFile(to, plan));
}

/** The marks of the shards that are whole in every file: a run may have died between two writes. */
async function wholeMarks(folder: string): Promise<readonly Mark[]> {
  const size = (name: string) =>
    stat(join(folder, name)).then(
      (found) => found.size,
      () => 0,
    );
  const path = join(folder, PARTS.marks);
  const text = await readFile(path, 'utf8').catch(() => '');
  const numbers = Math.min(await size(PARTS.x), await size(PARTS.adversarial));
  const [outcomes, certificates] = [await size(OUTCOMES), await size(CERTIFICATES)];
  return parseLines<Mark>(text, path).filter(
    (mark) => mark.outcomes <= outcomes && mark.numbers <= numbers && mark.certificates <= certificates,
  );
}

/** Whole lines only: the last may have been cut. */
function parseLines<T>(text: string, path: string): T[] {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.flatMap((line, i) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as T];
    } catch (cause) {
      throw unexpected(
        {
          found: 'damaged line',
          at: `line ${i + 1} of ${path}`,
          expected: 'what an unfinished run left',
          remedy: 'Start the run again with --overwrite.',
        },
        { cause },
      );
    }
  });
}

async function cut(path: string, length: number): Promise<void> {
  await (await open(path, 'a')).close();
  await truncate(path, length);
}
