import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Row } from '@gauntlet/core';
import { tensor } from '@gauntlet/tensor';
import { artifactsIn } from './artifacts.js';
import { type AuditJson } from './index.js';
import { called } from './testing/called.js';
import { ROOT } from './testing/packed.js';

import.meta.jest.setTimeout(120_000);

const DIGITS = `${ROOT}examples/digits`;

let user = '';
beforeAll(() => (user = mkdtempSync(join(tmpdir(), 'universal-'))));
afterAll(() => rmSync(user, { recursive: true, force: true }));

const DATA = ['--data', `${DIGITS}/digits.npz`, '--epsilon', '0,0.3', '--limit', '30'];
const audit = (...args: string[]) => called(user, ['audit', `${DIGITS}/digits.onnx`, ...DATA, ...args]);

/** What the tests run again and again. */
const RUN = [
  '--attack',
  'uap,fgsm',
  '--set',
  'uap.epochs=5',
  '--set',
  'uap.batchSize=10',
  '--held-out',
  '40',
  '--out',
  'run',
];

const rowsOf = (folder: string) =>
  readFileSync(join(user, folder, 'outcomes.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
const samplesOf = (rows: readonly Row[], attack: string) =>
  rows.filter((row) => row.attack === attack && row.epsilon === 0.3).map(({ sample }) => sample);

describe('an audit with a universal attack', () => {
  it('fits it on samples that are set apart, and runs everything on the others', async () => {
    const { status, out, err } = await audit(...RUN);
    expect({ status, err }).toMatchObject({ status: 0 });
    expect(out).toContain('uap 0.3: fitted on 40 samples of digits.npz that are not attacked (200 queries,');
    const verdict = JSON.parse(readFileSync(join(user, 'run/audit.json'), 'utf8')) as AuditJson;
    expect(verdict.fit).toEqual({ name: 'digits.npz', fingerprint: expect.any(String), samples: 40 });
    const [none, uap] = verdict.results;
    expect(none).toMatchObject({ attack: 'attack/uap', epsilon: 0, robustAccuracy: verdict.clean.accuracy });
    expect(none!.fit).toBeUndefined();
    expect(uap!.fit).toMatchObject({ samples: 40, queries: 200, gradients: 200 });
    expect(uap!.robustAccuracy).toBeLessThan(0.3);
    const rows = rowsOf('run');
    expect(samplesOf(rows, 'attack/uap')).toHaveLength(30);
    expect(samplesOf(rows, 'attack/fgsm')).toEqual(samplesOf(rows, 'attack/uap'));
    expect(readdirSync(join(user, 'run/artifacts'))).toEqual(['uap+0.3.npz']);
  });

  it('goes on with what was fitted, and fits anew where a run is replaced', async () => {
    const artifacts = artifactsIn(join(user, 'run/artifacts'));
    const fitted = (await artifacts.load('attack/uap 0.3'))!;
    expect(fitted.cost).toMatchObject({ samples: 40, queries: 200, gradients: 200 });
    const still = tensor(new Float32Array(784), [1, 1, 28, 28]);
    await artifacts.save('attack/uap 0.3', { ...fitted, artifact: { noise: still } });
    rmSync(join(user, 'run/audit.json'));
    await audit(...RUN);
    const verdicts = () =>
      new Set(
        rowsOf('run').flatMap((row) => (row.attack === 'attack/uap' && row.epsilon > 0 ? [row.verdict] : [])),
      );
    expect(verdicts()).not.toContain('broken');
    await audit(...RUN, '--overwrite');
    expect(verdicts()).toContain('broken');
  });

  it.each([
    [
      ['--attack', 'fgsm', '--held-out', '50'],
      /--held-out at the command line, expected a detector among the defences, or a universal attack/,
    ],
    [
      ['--attack', 'uap', '--held-out', '4000'],
      /samples held out at digits\.npz, expected at least one, and fewer than there are/,
    ],
    [
      ['--attack', 'uap', '--fit-data', `${DIGITS}/digits.npz`],
      /data that is attacked at .*digits\.npz, expected other samples to fit on/,
    ],
  ])('refuses %p', async (args, message) => {
    const { status, err } = await audit(...args, '--out', 'no');
    expect(err).toMatch(message);
    expect(status).toBe(2);
    expect(existsSync(join(user, 'no'))).toBe(false);
  });
});

it('keeps artifacts of different attacks apart, whatever they are called', async () => {
  const artifacts = artifactsIn(join(user, 'artifacts'));
  const cost = { samples: 1, queries: 2, gradients: 3, seconds: 0.25 };
  const keys = [
    'attack/a on x/m.onnx 1',
    'attack/a on x-m.onnx 1',
    'attack/a on x%2Fm.onnx 1',
    'attack/a+on 1',
    'attack/a on 1',
  ];
  for (const [i, key] of keys.entries()) {
    await artifacts.save(key, { artifact: { at: tensor(Float32Array.of(i, 0.1), [1, 2]) }, cost });
  }
  for (const [i, key] of keys.entries()) {
    expect(await artifacts.load(key)).toEqual({
      artifact: { at: tensor(Float32Array.of(i, 0.1), [1, 2]) },
      cost,
    });
  }
  expect(await artifacts.load('attack/b 1')).toBeNull();
});
