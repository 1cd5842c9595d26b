import { openSync, closeSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { unexpected } from '@gauntlet/core';

/** Protobuf's own limit, and so the limit of a model with its weights inside. */
export const LARGEST = 2 ** 31 - 1;

/** The refusal of a model of which more than `LARGEST` bytes would have to be held in one piece. */
export const tooLarge = (path: string, what: string, remedy: string) =>
  unexpected({
    found: `more than 2 GB of ${what}`,
    at: path,
    expected: 'at most 2 GB, which is the limit of one ONNX file',
    remedy,
    code: 'unsupported',
  });

/** Some bytes of a file, in memory of their own; fewer where the file ends before. */
export async function readPart(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw unexpected(
      {
        found: 'file that cannot be read',
        at: path,
        expected: 'a readable file',
        remedy: 'Check its permissions.',
      },
      { cause },
    );
  });
  try {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) return bytes.subarray(0, done);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/** As `readPart`, at once; the file must be there. */
export function readPartNow(path: string, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const file = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(length);
    let done = 0;
    for (let read = -1; read !== 0 && done < length; done += read) {
      read = readSync(file, bytes, done, length - done, offset + done);
    }
    return bytes.subarray(0, done);
  } finally {
    closeSync(file);
  }
}
