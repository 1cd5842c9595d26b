import { fileURLToPath } from 'node:url';
import type { Term } from '@gauntlet/core';
import { writeModel } from '@gauntlet/onnx';
import { buildGradient, platformLowering } from './gradient.js';
import { prepare } from './prepare.js';

const DIGITS = fileURLToPath(new URL('../../../examples/digits/digits.onnx', import.meta.url));
const LOSS: Term = { op: 'pick', class: 'own' };

it.each([
  ['x64', 'blocked'],
  ['arm64', 'plain'],
  ['ia32', 'plain'],
])('on %s gradients are written %s', (architecture, lowering) => {
  expect(platformLowering(architecture)).toBe(lowering);
});

it('gradients are written for the processor that they will run on, unless they are asked for otherwise', async () => {
  const prepared = await prepare(DIGITS, { bounds: [0, 1] });
  const written = (...lowering: [lowering?: 'plain' | 'blocked']) =>
    Buffer.from(writeModel(buildGradient(prepared, LOSS, ...lowering).model)).toString('base64');
  expect(written()).toBe(written(platformLowering(process.arch)));
  expect(written('plain')).not.toBe(written('blocked'));
});
