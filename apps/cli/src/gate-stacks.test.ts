import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBaseline } from '@gauntlet/gate';
import type { Config } from './config.js';
import { called } from './testing/called.js';
import { ROOT } from './testing/packed.js';

const DIGITS = `${ROOT}examples/digits`;
const path = `${DIGITS}/digits.onnx`;
const CONFIG: Config = {
  models: {
    plain: { path },
    guarded: { path, defences: { 'feature-squeezing': {} }, static: true },
    both: { path, defences: { ensemble: {} }, members: [`${DIGITS}/hardened.onnx`] },
  },
  data: { path: `${DIGITS}/digits.npz`, limit: 20, fit: { heldOut: 40, falseRejections: 0.1 } },
  threatModels: {
    small: { epsilons: [0.001], surrogates: [`${DIGITS}/hardened.onnx`], access: 'gradients' },
  },
  attacks: { fgsm: {} },
  certifiers: { ibp: { models: ['plain'] } },
  metrics: ['transfer-rate'],
  batchSize: 20,
  thresholds: [
    { measure: 'certified-accuracy', atLeast: 0.5, model: 'plain' },
    { measure: 'certified-accuracy', atLeast: 0.99, model: 'plain' },
    { measure: 'robust-accuracy', atLeast: 0.5 },
  ],
};

let user = '';
beforeAll(() => (user = mkdtempSync(join(tmpdir(), 'gate-'))));
afterAll(() => rmSync(user, { recursive: true, force: true }));

const gate = (config: Config, ...args: string[]) => {
  writeFileSync(join(user, 'gauntlet.config.json'), JSON.stringify(config));
  return called(user, ['gate', ...args]);
};

const held = (model: string) =>
  readBaseline(readFileSync(join(user, 'gauntlet-baseline.json'), 'utf8'), 'b').audits.find(
    (audit) => audit.model === model,
  )!.terms;

it('gates what stands before models, what is crafted on others and what is proven', async () => {
  const { status, out } = await gate(CONFIG, '--update-baseline');
  expect(out).toMatch(
    /^passed +plain under small at 0\.001: certified accuracy: it is \d+%, at least 50% is/m,
  );
  expect(out).toMatch(/^Static: found on the model without its defences/m);
  expect(out).toContain('Each detector may turn 10.0% of clean samples away, by 40 of');
  expect(out).toContain('Defended by defence/ensemble.');
  expect(out.match(/^transfer-rate /gm)).toHaveLength(3);
  expect(out).toContain('Failed: 1 of 5 thresholds is missed.');
  expect(status).toBe(1);
  expect(held('plain')).toMatchObject({
    certifiers: { 'certifier/ibp': {} },
    surrogates: [{ name: 'hardened.onnx' }],
  });
  expect(held('guarded')).toMatchObject({ fit: { samples: 40, falseRejections: 0.1 } });
  expect(Object.keys(held('guarded')['attacks'] as object)).toEqual([
    'attack/fgsm',
    'attack/fgsm on static',
    'attack/fgsm on hardened.onnx',
  ]);
  expect(held('both')).toMatchObject({ defences: [{ use: 'defence/ensemble' }] });
  expect(held('both')).not.toHaveProperty('certifiers');
});
