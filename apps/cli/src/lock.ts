import { readFile, rm, writeFile } from 'node:fs/promises';
import { unexpected } from '@gauntlet/core';

/**
 * Keeps a folder for this process: two that write into one would spoil both runs. A lock whose process is gone does not count.
 *
 * @param folder what is locked, for the message.
 * @returns what gives it free.
 */
export async function lock(path: string, folder: string): Promise<() => Promise<void>> {
  const owner = Number(await readFile(path, 'utf8').catch(() => NaN));
  if (owner !== process.pid && isRunning(owner)) throw taken(folder, owner);
  await rm(path, { force: true });
  await writeFile(path, String(process.pid), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? taken(folder, undefined) : error;
  });
  return () => rm(path, { force: true });
}

const taken = (folder: string, owner: number | undefined) =>
  unexpected({
    found: `run under way${owner === undefined ? '' : ` in process ${owner}`}`,
    at: folder,
    expected: 'a folder that nobody writes to',
    remedy: 'Wait for it, or name another folder with --out.',
  });

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
