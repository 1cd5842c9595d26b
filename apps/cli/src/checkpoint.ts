import { readFile, writeFile } from 'node:fs/promises';
import { type Checkpoint, unexpected } from '@gauntlet/core';
import type { Tensor } from '@gauntlet/tensor';
import { atomically } from './atomically.js';
import { firstDifference } from './run-folder.js';

/** Bytes that say how long the text is. */
const HEAD = 8;

/** Writes a checkpoint of a training, whole or not at all: a length, a text in JSON, and the numbers of its tensors (float32, little-endian). */
export async function writeCheckpoint(path: string, plan: string, checkpoint: Checkpoint): Promise<void> {
  const parts: Uint8Array[] = [];
  let at = 0;
  const text = JSON.stringify({ plan: JSON.parse(plan) as unknown, checkpoint }, (_, value: unknown) => {
    if (!isTensor(value)) return value;
    const { data, shape } = value;
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    at += data.byteLength;
    return { shape, from: at - data.byteLength, to: at };
  });
  const head = Buffer.alloc(HEAD);
  const body = Buffer.from(text);
  head.writeBigUInt64LE(BigInt(body.length));
  await atomically(path, (temporary) => writeFile(temporary, Buffer.concat([head, body, ...parts])));
}

/**
 * What an interrupted training left; null where there is nothing.
 *
 * @param name the file of the model, for messages.
 * @throws GauntletError `input` when it belongs to another plan, or is damaged.
 */
export async function readCheckpoint(path: string, plan: string, name: string): Promise<Checkpoint | null> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (bytes === null) return null;
  const held = parse(bytes, `${name}.checkpoint`);
  const here = JSON.parse(plan) as unknown;
  if (JSON.stringify(held.plan) === JSON.stringify(here)) return held.checkpoint;
  const why = firstDifference(held.plan, here);
  throw unexpected({
    found: 'other training, unfinished,',
    at: `${name}.checkpoint`,
    expected: 'none, or one that this very command left',
    remedy: `${why === null ? '' : `${why} `}Name another file with --out, or start anew with --overwrite.`,
  });
}

function parse(bytes: Buffer, at: string): { readonly plan: unknown; readonly checkpoint: Checkpoint } {
  try {
    const start = HEAD + Number(bytes.readBigUInt64LE());
    return JSON.parse(bytes.toString('utf8', HEAD, start), (_, value: unknown) => {
      if (!isPlace(value)) return value;
      const own = Uint8Array.from(bytes.subarray(start + value.from, start + value.to));
      if (own.length !== value.to - value.from) throw new RangeError('too short');
      return { data: new Float32Array(own.buffer), shape: value.shape } satisfies Tensor;
    }) as { plan: unknown; checkpoint: Checkpoint };
  } catch (cause) {
    throw unexpected(
      {
        found: 'damaged checkpoint',
        at,
        expected: 'what an unfinished training left',
        remedy: 'Start anew with --overwrite.',
      },
      { cause },
    );
  }
}

const isTensor = (value: unknown): value is Tensor =>
  typeof value === 'object' &&
  value !== null &&
  'shape' in value &&
  'data' in value &&
  ArrayBuffer.isView(value.data);

interface Place {
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
}

const isPlace = (value: unknown): value is Place =>
  typeof value === 'object' && value !== null && 'shape' in value && 'from' in value && 'to' in value;
