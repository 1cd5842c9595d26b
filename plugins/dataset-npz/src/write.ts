import { open, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { formatHeader } from './npy.js';

/** One array of an .npz file, its numbers as they come. */
export interface Member {
  readonly name: string;
  /** NumPy's name of the element type, such as `<f4` or `<U8`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The numbers' bytes, little-endian in C order, in pieces of any size. */
  readonly data: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

interface Written {
  readonly name: Buffer;
  readonly crc: number;
  readonly size: number;
  readonly start: number;
}

/**
 * Writes an .npz file as numpy.savez does: every array stored as it is, nothing held in memory but a piece at a time, and of
 * any size (zip64).
 */
export async function writeNpz(path: string, members: Iterable<Member>): Promise<void> {
  const file = await open(path, 'w');
  try {
    let at = 0;
    const append = async (bytes: Uint8Array) => {
      await file.write(bytes, 0, bytes.length, at);
      at += bytes.length;
    };
    const written: Written[] = [];
    for (const member of members) {
      const start = at;
      const name = Buffer.from(`${member.name}.npy`);
      await append(localHeader({ name, crc: 0, size: 0, start }));
      const from = at;
      let crc = 0;
      for await (const piece of pieces(member)) {
        crc = crc32(piece, crc);
        await append(piece);
      }
      const entry = { name, crc, size: at - from, start };
      await patch(file, localHeader(entry), start);
      written.push(entry);
    }
    const directory = Buffer.concat(written.map(centralHeader));
    const start = at;
    await append(directory);
    await append(end(written.length, start, directory.length));
  } finally {
    await file.close();
  }
}

async function* pieces({ dtype, shape, data }: Member): AsyncGenerator<Uint8Array> {
  yield formatHeader(dtype, shape);
  // Node's checksum of no bytes is 0, whatever came before: empty pieces are left out.
  for await (const piece of data) if (piece.length > 0) yield piece;
}

/** The checksum and the size stand before the data, and are known after it. */
const patch = (file: FileHandle, header: Buffer, start: number) =>
  file.write(header, 0, header.length, start);

/** Numbers, little-endian, each of the given number of bytes. */
const pack = (...numbers: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Buffer =>
  Buffer.concat(
    numbers.map(([bytes, value]) => {
      const buffer = Buffer.alloc(bytes);
      if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value));
      else buffer.writeUIntLE(value, 0, bytes);
      return buffer;
    }),
  );

const WIDE = 0xffffffff;
const VERSION = 45;
/** 1 January 1980: the files are the same whenever they are written. */
const DATE = 0x21;

const localHeader = ({ name, crc, size }: Written): Buffer =>
  Buffer.concat([
    pack([4, 0x04034b50], [2, VERSION], [2, 0], [2, 0], [2, 0], [2, DATE]),
    pack([4, crc], [4, WIDE], [4, WIDE], [2, name.length], [2, 20]),
    name,
    pack([2, 1], [2, 16], [8, size], [8, size]),
  ]);

const centralHeader = ({ name, crc, size, start }: Written): Buffer =>
  Buffer.concat([
    pack([4, 0x02014b50], [2, VERSION], [2, VERSION], [2, 0], [2, 0], [2, 0], [2, DATE]),
    pack(
      [4, crc],
      [4, WIDE],
      [4, WIDE],
      [2, name.length],
      [2, 28],
      [2, 0],
      [2, 0],
      [2, 0],
      [4, 0],
      [4, WIDE],
    ),
    name,
    pack([2, 1], [2, 24], [8, size], [8, size], [8, start]),
  ]);

const end = (count: number, start: number, length: number): Buffer =>
  Buffer.concat([
    pack([4, 0x06064b50], [8, 44], [2, VERSION], [2, VERSION], [4, 0], [4, 0]),
    pack([8, count], [8, count], [8, length], [8, start]),
    pack([4, 0x07064b50], [4, 0], [8, start + length], [4, 1]),
    pack([4, 0x06054b50], [2, 0], [2, 0], [2, Math.min(count, 0xffff)], [2, Math.min(count, 0xffff)]),
    pack([4, Math.min(length, WIDE)], [4, WIDE], [2, 0]),
  ]);
