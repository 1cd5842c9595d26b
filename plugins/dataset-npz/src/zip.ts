import type { FileHandle } from 'node:fs/promises';
import { constants, crc32, inflateRawSync } from 'node:zlib';
import { unexpected } from '@gauntlet/core';

/** One file in a zip archive. */
export interface Entry {
  readonly name: string;
  /** 0: stored as it is; 8: deflated. */
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  /** Where the packed bytes start. */
  readonly start: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
/** No directory of a data set is longer. */
const LARGEST_DIRECTORY = 1 << 20;

/** A zip archive on disk: its directory is read at once, its files when they are asked for. */
export interface Zip {
  readonly entries: readonly Entry[];
  /** Bytes `from` up to `from + length` of a stored file. */
  slice(entry: Entry, from: number, length: number): Promise<Buffer>;
  /** The first bytes of a file, at most `length` packed ones. */
  head(entry: Entry, length: number): Promise<Buffer>;
  /** The whole file, checked against its checksum. */
  whole(entry: Entry): Promise<Buffer>;
}

/** Opens an archive. @throws GauntletError `input` when the file is no zip archive or is cut off. */
export async function openZip(file: FileHandle, name: string): Promise<Zip> {
  const broken = (found: string) =>
    unexpected({ found, at: name, expected: 'a whole .npz file', remedy: 'Copy or save the file again.' });
  const { size } = await file.stat();
  const read = async (from: number, length: number): Promise<Buffer> => {
    if (!(from >= 0 && from + length <= size)) throw broken('file that is cut off');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    if (bytesRead < length) throw broken('file that is cut off');
    return buffer;
  };

  const directory = await findDirectory(read, size, broken);
  if (directory.length > LARGEST_DIRECTORY) throw broken('archive with far too many files');
  const central = await read(directory.start, directory.length);
  const entries: Entry[] = [];
  for (let at = 0; at + 46 <= central.length && central.readUInt32LE(at) === CENTRAL;) {
    const { entry, length } = parseEntry(central, at);
    at += length;
    const local = await read(entry.start, 30);
    if (local.readUInt32LE(0) !== LOCAL) throw broken('damaged archive');
    entries.push({ ...entry, start: entry.start + 30 + local.readUInt16LE(26) + local.readUInt16LE(28) });
  }

  const inflate = (packed: Buffer, limit: number, partial: boolean, at: string) => {
    try {
      const finishFlush = partial ? constants.Z_SYNC_FLUSH : constants.Z_FINISH;
      return inflateRawSync(packed, { maxOutputLength: Math.max(1, limit), finishFlush });
    } catch (cause) {
      throw unexpected(
        {
          found: 'damaged data',
          at,
          expected: 'what the archive says it holds',
          remedy: 'Copy or save the file again.',
        },
        { cause },
      );
    }
  };

  return {
    entries,
    slice: (entry, from, length) => read(entry.start + from, length),
    async head(entry, length) {
      const packed = await read(entry.start, Math.min(length, entry.packed));
      return entry.method === 0 ? packed : inflate(packed, 1100 * length, true, `${entry.name} in ${name}`);
    },
    async whole(entry) {
      const packed = await read(entry.start, entry.packed);
      const data =
        entry.method === 0 ? packed : inflate(packed, entry.size, false, `${entry.name} in ${name}`);
      if (data.length !== entry.size || crc32(data) !== entry.crc) {
        throw broken(`${entry.name} that does not match its checksum`);
      }
      return data;
    },
  };
}

/** Where the central directory lies: the end record is the file's last, but for a comment; zip64 points on to a larger one. */
async function findDirectory(
  read: (from: number, length: number) => Promise<Buffer>,
  size: number,
  broken: (found: string) => Error,
): Promise<{ start: number; length: number }> {
  const tail = await read(Math.max(0, size - 65_557), Math.min(size, 65_557));
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== END) at--;
  if (at < 0) throw broken('bytes that are not a zip archive, or a file that is cut off');
  const start = tail.readUInt32LE(at + 16);
  if (start !== 0xffffffff) return { start, length: tail.readUInt32LE(at + 12) };
  if (at < 20) throw broken('damaged archive');
  const end = await read(Number(tail.readBigUInt64LE(at - 12)), 56);
  if (end.readUInt32LE(0) !== END64) throw broken('damaged archive');
  return { start: Number(end.readBigUInt64LE(48)), length: Number(end.readBigUInt64LE(40)) };
}

function parseEntry(central: Buffer, at: number): { entry: Entry; length: number } {
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => central.readUInt16LE(at + o));
  const extraAt = at + 46 + nameLength!;
  const extra = central.subarray(extraAt, extraAt + extraLength!);
  const wide = zip64Numbers(extra);
  // Numbers that do not fit in 32 bits stand in the zip64 extra field, in this order.
  const [size, packed, start] = [24, 20, 42].map((o) => {
    const short = central.readUInt32LE(at + o);
    return short === 0xffffffff ? (wide.shift() ?? short) : short;
  });
  return {
    entry: {
      name: central.toString('utf8', at + 46, extraAt),
      method: central.readUInt16LE(at + 10),
      crc: central.readUInt32LE(at + 16),
      packed: packed!,
      size: size!,
      start: start!,
    },
    length: 46 + nameLength! + extraLength! + commentLength!,
  };
}

function zip64Numbers(extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length;) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) {
      const end = Math.min(at + 4 + length, extra.length);
      const numbers = [];
      for (let from = at + 4; from + 8 <= end; from += 8) numbers.push(Number(extra.readBigUInt64LE(from)));
      return numbers;
    }
    at += 4 + length;
  }
  return [];
}
