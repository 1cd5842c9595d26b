/**
 * `npm run bench:training -- FOLDER [PYTHON]`: hardens the digit model by the reference recipe, from fresh weights, on the digits of `npm run digits -- FOLDER`,
 * audits it on those that it never saw, and prints the log. With an interpreter that has PyTorch, times its epochs beside ours.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadRuntime } from '@gauntlet/adapter-onnx';
import { timeEpochs } from './epoch.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MODEL = `${ROOT}examples/digits/digits.onnx`;
const RECIPE = [
  ...['--defence', 'adversarial-training', '--epsilon', '0.3', '--epochs', '14', '--batch-size', '100'],
  ...['--set', 'adversarial-training.fresh=true', '--held-out', '500', '--seed', '0', '--overwrite'],
];
const TURNS = 15;

const print = (line: string) => process.stdout.write(`${line}\n`);

/** Runs a command of this checkout, and prints it with all that it says. */
function gauntlet(folder: string, args: readonly string[]): void {
  print(`$ gauntlet ${args.map((arg) => arg.replace(ROOT, '')).join(' ')}`);
  const bin = join(ROOT, 'apps/cli/bin/gauntlet.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  print(`${stderr}${stdout}`);
  if (status !== 0) process.exit(status ?? 1);
}

const [folder, python] = process.argv.slice(2);
if (folder === undefined || !existsSync(join(folder, 'train.npz'))) {
  print('Run npm run digits -- FOLDER, then npm run bench:training -- FOLDER [PYTHON].');
  process.exit(2);
}
const { env } = await loadRuntime();
print(
  `Node ${process.versions.node}, ONNX Runtime ${env.versions.node ?? env.versions.common}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
);
print('');
gauntlet(folder, ['train', MODEL, '--data', 'train.npz', ...RECIPE, '-o', 'hardened.onnx']);
const hash = createHash('sha256').update(readFileSync(join(folder, 'hardened.onnx')));
print(`SHA-256 of hardened.onnx: ${hash.digest('hex')}\n`);
const audits = { all: 'test.npz', some: `${ROOT}fixtures/digits/test500.npz` };
for (const [name, data] of Object.entries(audits)) {
  const out = ['--out', `audit-${name}`, '--overwrite'];
  gauntlet(folder, ['audit', 'hardened.onnx', '--data', data, '--attack', 'pgd', '--epsilon', '0.3', ...out]);
}
if (python !== undefined) {
  const { ours, theirs } = await timeEpochs(MODEL, join(folder, 'train.npz'), python, TURNS);
  print(
    `An epoch on one thread, CPU time, medians of ${TURNS} turns: ${ours.toFixed(2)} s, PyTorch ${theirs.toFixed(2)} s, ratio ${(ours / theirs).toFixed(2)}`,
  );
}
