import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readRun, renderPage } from '@gauntlet/report';
import { atomically } from '../atomically.js';
import type { Terminal } from '../terminal.js';

/** Runs `gauntlet report`: writes the results of a run as one page, whole or not at all. */
export async function report(folder: string, out: string, { cwd, out: print }: Terminal): Promise<void> {
  const page = renderPage(await readRun(resolve(cwd, folder), folder));
  await atomically(resolve(cwd, out), (to) => writeFile(to, page));
  print(`File: ${out}\n`);
}
