import {
  appendFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { type Row, type Shard, unexpected } from '@gauntlet/core';
import type { Member } from '@gauntlet/dataset-npz';

const PLAN = 'plan.json';
const AUDIT = 'audit.json';
const OUTCOMES = 'outcomes.jsonl';
const ADVERSARIAL = 'adversarial.npz';
/** What a run in progress needs besides: the numbers of `x` and `x_adv` so far, and a mark per finished shard. */
const PARTS = { x: 'x.part', adversarial: 'x_adv.part', marks: 'shards.part' };
const OWN = [PLAN, AUDIT, OUTCOMES, ADVERSARIAL, ...Object.values(PARTS)];

/** The last thing written of a shard: how long the other files are when it is whole. */
interface Mark {
  readonly key: string;
  readonly outcomes: number;
  readonly numbers: number;
}

/** The folder of one run, to which finished shards are added. */
export interface RunFolder {
  /** The rows so far, in the order in which they were finished. */
  readonly rows: readonly Row[];
  /** The shards that are finished. */
  readonly done: ReadonlySet<string>;
  /** Whether all of the run was finished before. */
  readonly complete: boolean;
  append(shard: Shard): Promise<void>;
  /** Publishes adversarial.npz and audit.json, each whole or not at all. */
  finish(audit: object): Promise<void>;
}

/**
 * Opens the folder of a run: a new one, or one that the same plan left unfinished, cut back to its whole shards.
 *
 * @param plan the text of plan.json, by which a run is known again.
 * @param shape one sample's shape.
 * @throws GauntletError `input` when the folder holds another run, unless `overwrite` is set.
 */
export async function openRunFolder(
  folder: string,
  settings: { plan: string; shape: readonly number[]; overwrite: boolean },
): Promise<RunFolder> {
  const held = (await namesIn(folder)).filter((name) => OWN.includes(name));
  const resumed = held.length > 0 && !settings.overwrite;
  if (resumed) await mustBeSame(folder, settings.plan);
  else await startAfresh(folder, held, settings.plan);

  const complete = resumed && held.includes(AUDIT);
  const marks = complete ? [] : await wholeMarks(folder);
  const at = { outcomes: marks.at(-1)?.outcomes ?? 0, numbers: marks.at(-1)?.numbers ?? 0 };
  const path = (name: string) => join(folder, name);
  if (!complete) {
    await cut(path(OUTCOMES), at.outcomes);
    await cut(path(PARTS.x), at.numbers);
    await cut(path(PARTS.adversarial), at.numbers);
    await writeFile(path(PARTS.marks), marks.map((mark) => `${JSON.stringify(mark)}\n`).join(''));
  }
  const rows = parseLines<Row>(await readFile(path(OUTCOMES), 'utf8'));
  const done = new Set(marks.map(({ key }) => key));

  return {
    rows,
    done,
    complete,
    async append(shard) {
      const lines = shard.rows.map((row) => `${JSON.stringify(row)}\n`).join('');
      await appendFile(path(PARTS.x), bytesOf(shard.x.data));
      await appendFile(path(PARTS.adversarial), bytesOf(shard.adversarial.data));
      await appendFile(path(OUTCOMES), lines);
      at.outcomes += Buffer.byteLength(lines);
      at.numbers += shard.x.data.byteLength;
      await appendFile(path(PARTS.marks), `${JSON.stringify({ key: shard.key, ...at } satisfies Mark)}\n`);
      rows.push(...shard.rows);
      done.add(shard.key);
    },
    async finish(audit) {
      const { writeNpz } = await import('@gauntlet/dataset-npz');
      const numbers = (name: string) => createReadStream(path(name), { highWaterMark: 1 << 20 });
      await atomically(path(ADVERSARIAL), (to) =>
        writeNpz(to, members(rows, settings.shape, numbers(PARTS.x), numbers(PARTS.adversarial))),
      );
      await atomically(path(AUDIT), (to) => writeFile(to, `${JSON.stringify(audit, null, 2)}\n`));
      for (const name of Object.values(PARTS)) await rm(path(name), { force: true });
    },
  };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw unexpected(
      {
        found: code === 'ENOTDIR' ? 'a file' : `a folder that cannot be read (${code})`,
        at: folder,
        expected: 'a folder for the results',
        remedy: 'Name another folder with --out.',
      },
      { cause },
    );
  }
}

async function mustBeSame(folder: string, plan: string): Promise<void> {
  const held = await readFile(join(folder, PLAN), 'utf8').catch(() => null);
  if (held === plan) return;
  throw unexpected({
    found: 'another run',
    at: folder,
    expected: 'a new folder, or one that this very command left',
    remedy: 'Name another folder with --out, or replace the run with --overwrite.',
  });
}

async function startAfresh(folder: string, held: readonly string[], plan: string): Promise<void> {
  await mkdir(folder, { recursive: true });
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
  const text = await readFile(join(folder, PARTS.marks), 'utf8').catch(() => '');
  const numbers = Math.min(await size(PARTS.x), await size(PARTS.adversarial));
  const outcomes = await size(OUTCOMES);
  return parseLines<Mark>(text).filter((mark) => mark.outcomes <= outcomes && mark.numbers <= numbers);
}

/** Whole lines only: the last may have been cut. */
const parseLines = <T>(text: string): T[] =>
  text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as T]));

async function cut(path: string, length: number): Promise<void> {
  await (await open(path, 'a')).close();
  await truncate(path, length);
}

/** A file that appears whole, under its name, or not at all. */
async function atomically(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await write(temporary);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

const bytesOf = (numbers: Float32Array | Float64Array | BigInt64Array | Uint32Array) =>
  new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);

/** The arrays of adversarial.npz: one row for each line of outcomes.jsonl, in its order. */
function* members(
  rows: readonly Row[],
  shape: readonly number[],
  x: AsyncIterable<Uint8Array>,
  adversarial: AsyncIterable<Uint8Array>,
): Generator<Member> {
  const n = rows.length;
  const width = Math.max(1, ...new Set(rows.map(({ attack }) => attack.length)));
  const letters = new Uint32Array(n * width);
  rows.forEach(({ attack }, i) =>
    letters.set(
      Array.from(attack, (letter) => letter.codePointAt(0)!),
      i * width,
    ),
  );
  yield { name: 'x', dtype: '<f4', shape: [n, ...shape], data: x };
  yield { name: 'x_adv', dtype: '<f4', shape: [n, ...shape], data: adversarial };
  yield {
    name: 'y',
    dtype: '<i8',
    shape: [n],
    data: [bytesOf(BigInt64Array.from(rows, ({ label }) => BigInt(label)))],
  };
  yield { name: 'attack', dtype: `<U${width}`, shape: [n], data: [bytesOf(letters)] };
  yield {
    name: 'epsilon',
    dtype: '<f8',
    shape: [n],
    data: [bytesOf(Float64Array.from(rows, ({ epsilon }) => epsilon))],
  };
}
