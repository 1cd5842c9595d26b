import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unexpected } from '@gauntlet/core';

/** @throws GauntletError `input` where nothing can be read at a path. */
export async function mustExist(path: string, expected: string): Promise<void> {
  await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const found = cause.code === 'ENOENT' ? 'missing file' : `unreadable path (${cause.code})`;
    throw unexpected({ found, at: path, expected, remedy: 'Check the path.' }, { cause });
  });
}

/** The SHA-256 of files in a folder, by their names. */
export async function hashesOf(files: readonly string[], folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const file of files) hashes[file] = await sha256(join(folder, file));
  return hashes;
}

/** The SHA-256 of a file, in hexadecimal digits. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
