import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DatasetFiles, testDataset } from '@gauntlet/testing';
import npz, { writeNpz } from './index.js';

const shape = [3, 4, 5] as const;
const x = Array.from({ length: 5 }, (_, i) => Array.from({ length: 60 }, (__, j) => (37 * i + 11 * j) % 256));
const y = [0, 2, 1, 0, 2];

let folder = '';
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'npz-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function files(): Promise<DatasetFiles> {
  const write = async (name: string, samples: number[][], labels: number[]) => {
    const path = join(folder, name);
    await writeNpz(path, [
      { name: 'x', dtype: '|u1', shape: [samples.length, ...shape], data: [Uint8Array.from(samples.flat())] },
      { name: 'y', dtype: '|u1', shape: [labels.length], data: [Uint8Array.from(labels)] },
    ]);
    return path;
  };
  const path = await write('data.npz', x, y);
  const other = await write('other.npz', [...x.slice(1), x[0]!.map((value) => 255 - value)], y);
  const short = await write('short.npz', x, y.slice(1));
  const cut = join(folder, 'cut.npz');
  writeFileSync(cut, readFileSync(path).subarray(0, 200));
  return { path, other, damaged: [join(folder, 'missing.npz'), short, cut], x, y, shape };
}

testDataset(npz, { files });
