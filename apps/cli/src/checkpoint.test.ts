import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Checkpoint } from '@gauntlet/core';
import { tensor } from '@gauntlet/tensor';
import { readCheckpoint, writeCheckpoint } from './checkpoint.js';

const folder = mkdtempSync(join(tmpdir(), 'checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = join(folder, 'h.onnx.checkpoint');
const plan = JSON.stringify({ seed: 0, defence: { use: 'defence/test', options: {} } });
const numbers = (...values: number[]) => tensor(Float32Array.from(values), [values.length]);
const checkpoint: Checkpoint = {
  finished: { teacher: { 'a/b': numbers(1, -0, 1e-45) } },
  epochs: [{ stage: 'teacher', epoch: 1, loss: 0.1, clean: 0.5, robust: null }],
  stage: 'student',
  updates: 3,
  loss: 1 / 3,
  now: {
    weights: { w: tensor(Float32Array.from({ length: 6 }, Math.sqrt), [2, 3]), 'a/b': numbers(0.1) },
    memory: { 'm:w': numbers(NaN, Infinity) },
  },
  best: null,
};

it('comes back as it was, to the bit', async () => {
  await writeCheckpoint(path, plan, checkpoint);
  expect(await readCheckpoint(path, plan, 'h.onnx')).toEqual(checkpoint);
  expect(readdirSync(folder)).toEqual(['h.onnx.checkpoint']);
});

it('is null where there is none', async () => {
  expect(await readCheckpoint(join(folder, 'none'), plan, 'h.onnx')).toBeNull();
});

it('belongs to its plan, and says what differs in another', async () => {
  await writeCheckpoint(path, plan, checkpoint);
  await expect(readCheckpoint(path, plan.replace('0', '1'), 'h.onnx')).rejects.toThrow(
    /^Unexpected other training, unfinished, at h\.onnx\.checkpoint.*Its seed is 0, this one's is 1\. Name another file with --out/,
  );
});

it.each([0, 4, 100, 400])('is refused in one sentence when it is cut at byte %d', async (length) => {
  await writeCheckpoint(path, plan, checkpoint);
  writeFileSync(path, readFileSync(path).subarray(0, length));
  await expect(readCheckpoint(path, plan, 'h.onnx')).rejects.toThrow(
    /^Unexpected damaged checkpoint at h\.onnx\.checkpoint, expected what an unfinished training left/,
  );
});

it('is refused when its last numbers are missing', async () => {
  await writeCheckpoint(path, plan, checkpoint);
  writeFileSync(path, readFileSync(path).subarray(0, -4));
  await expect(readCheckpoint(path, plan, 'h.onnx')).rejects.toThrow(/^Unexpected damaged checkpoint/);
});
