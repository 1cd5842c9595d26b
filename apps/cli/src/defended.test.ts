import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Certified, Plan, Row } from '@gauntlet/core';
import { type AuditJson, auditJson } from './index.js';
import { called } from './testing/called.js';
import { ROOT } from './testing/packed.js';

import.meta.jest.setTimeout(120_000);

const DIGITS = `${ROOT}examples/digits`;
const MLP = `${ROOT}fixtures/models/mlp.onnx`;

/** Somebody else's defence, that lets no gradient through: values below a tenth are nothing. */
const SHUT = `export default Object.freeze({
  kind: 'preprocessor', api: 'gauntlet/1', id: 'defence/shut', summary: 'For tests.', cites: [], backward: 'none',
  options: { '~standard': { version: 1, vendor: 'own', validate: (value) => ({ value }) } },
  run: async ({ x }) => ({ data: x.data.map((value) => (value < 0.1 ? 0 : value)), shape: x.shape }),
});`;

let user = '';
beforeAll(() => {
  user = mkdtempSync(join(tmpdir(), 'defended-'));
  const folder = join(user, 'node_modules/gauntlet-defence-shut');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'gauntlet-defence-shut', version: '1.0.0', type: 'module', main: 'main.js' }),
  );
  writeFileSync(join(folder, 'main.js'), SHUT);
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

const DATA = ['--data', `${DIGITS}/digits.npz`, '--batch-size', '16'];
const audit = (...args: string[]) => called(user, ['audit', `${DIGITS}/digits.onnx`, ...DATA, ...args]);

const read = (path: string) => readFileSync(join(user, path), 'utf8');
const lines = <T>(path: string) =>
  read(path)
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as T);
const verdictOf = (folder: string): AuditJson => auditJson.parse(JSON.parse(read(`${folder}/audit.json`)));
type Proven = NonNullable<AuditJson['certified']>[number];
const planOf = (folder: string) => JSON.parse(read(`${folder}/plan.json`)) as Plan;
const broken = (rows: readonly Row[]) => rows.filter(({ verdict }) => verdict === 'broken').length;

it('never judges by what is found without the defences alone', async () => {
  const args = ['--epsilon', '0.2', '--limit', '8', '--queries', '40', '--out', 'shut'];
  const { status, out } = await audit('--defence', 'bit-depth,shut', ...args);
  expect(status).toBe(0);
  const { results, notRun, worstCase, defences } = verdictOf('shut');
  const runs = (on: string | undefined) => results.filter((one) => one.on === on).map(({ attack }) => attack);
  expect(runs(undefined)).toEqual(['attack/hop-skip-jump', 'attack/square']);
  for (const on of ['open', 'undefended', 'static']) expect(runs(on)).toEqual(['attack/fgsm', 'attack/pgd']);
  expect(notRun).toContainEqual({ attack: 'attack/pgd', why: 'no gradient passes defence/shut' });
  expect(defences).toMatchObject([
    { defence: 'defence/bit-depth', backward: 'identity', words: 'BPDA: as if it were the identity' },
    { defence: 'defence/shut', backward: 'none', words: 'no gradient passes it' },
  ]);
  const rows = lines<Row>('shut/outcomes.jsonl');
  const of = (on: string) => rows.filter((row) => row.surrogate === on && row.attack === 'attack/pgd');
  expect(broken(of('open'))).toBeGreaterThan(broken(of('static')));
  expect(of('open').every(({ gradients, crafting }) => gradients === 0 && crafting!.gradients > 0)).toBe(
    true,
  );
  expect(worstCase[0]!.robustAccuracy).toBeLessThan(0.5);
  for (const words of [
    'Adaptive: by the scores of the defended model, without gradients:',
    'Static: found on the model without its defences, tried on the defended model:',
    'Crafted on the model behind defence/bit-depth (BPDA: as if it were the identity), without',
    '  pgd: no gradient passes defence/shut',
  ])
    expect(out).toContain(words);
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);

  const again = await audit('--defence', 'bit-depth,shut', ...args);
  expect(again).toMatchObject({ status: 0, out, err: expect.stringContaining('nothing was run again') });
  const other = await audit('--defence', 'shut,bit-depth', ...args);
  expect(other).toMatchObject({ status: 2, err: expect.stringContaining('Its defences.0.use is') });
});

it('fits detectors on samples that it does not attack', async () => {
  const args = ['--defence', 'feature-squeezing', '--epsilon', '0.1', '--attack', 'fgsm'];
  const { status, out } = await audit(
    ...args,
    '--held-out',
    '150',
    '--false-rejections',
    '0.1',
    '--out',
    'fit',
  );
  expect(status).toBe(0);
  const { defences, fit, data } = planOf('fit');
  expect(data.samples).toBe(50);
  expect(fit).toEqual({
    ...{ name: 'digits.npz', fingerprint: data.fingerprint, samples: 150, falseRejections: 0.1 },
  });
  expect(defences).toMatchObject([{ use: 'detector/feature-squeezing', kind: 'detector' }]);
  expect(defences![0]!.threshold).toBeGreaterThan(0);
  const rows = lines<Row>('fit/outcomes.jsonl');
  const rejected = rows.filter((row) => row.rejected).length / 50;
  expect(verdictOf('fit').clean.rejected).toBe(rejected);
  expect(rejected).toBeLessThan(0.3);
  expect(out.replaceAll('\n', ' ')).toContain(
    'Each detector may turn 10.0% of clean samples away, by 150 of digits.npz that are not attacked',
  );
});

it('tries on the model what is crafted on others', async () => {
  const args = ['--surrogate', `${MLP},${DIGITS}/hardened.onnx`, '--epsilon', '0.2', '--attack', 'pgd'];
  const more = ['--limit', '30', '--metric', 'transfer-rate,robust-accuracy', '--out', 'transfer'];
  const { status, out } = await audit(...args, ...more);
  expect(status).toBe(0);
  expect(out).toContain('The attacker cannot ask the model, has mlp.onnx, hardened.onnx to craft on,');
  expect(planOf('transfer')).toMatchObject({
    surrogates: [{ name: 'mlp.onnx' }, { name: 'hardened.onnx' }],
    threatModel: { access: 'none', surrogates: ['mlp.onnx', 'hardened.onnx'] },
  });
  const rows = lines<Row>('transfer/outcomes.jsonl');
  const { metrics, results } = verdictOf('transfer');
  const rates = ['hardened.onnx', 'mlp.onnx'].map((from) => {
    const own = rows.filter((row) => row.surrogate === from && row.clean === row.label);
    expect(own.every(({ queries, crafting }) => queries === 1 && crafting!.gradients === 40)).toBe(true);
    return { from, to: 'digits.onnx', epsilon: 0.2, rate: broken(own) / own.length, tried: own.length };
  });
  expect(metrics!.find(({ metric }) => metric === 'metric/transfer-rate')!.value).toEqual(
    rates.map((rate) => ({ attack: 'attack/pgd', ...rate })),
  );
  expect(metrics!.map(({ attack }) => attack)).toContain('attack/pgd on mlp.onnx');
  expect(results.map(({ on, crafting }) => [on, crafting!.gradients])).toEqual([
    ['mlp.onnx', 40 * 28],
    ['hardened.onnx', 40 * 28],
  ]);
});

it('writes down what a defence proves about its answers', async () => {
  const smoothing = ['--defence', 'smoothing', '--set', 'smoothing.n=100', '--set', 'smoothing.n0=20'];
  const args = ['--norm', 'l2', '--epsilon', '0.1,0.25', '--attack', 'pgd', '--set', 'pgd.steps=2'];
  const { status, out } = await audit(...smoothing, ...args, '--limit', '8', '--out', 'proven');
  expect(status).toBe(0);
  const certificates = lines<Certified>('proven/certificates.jsonl');
  expect(certificates.map(({ sample, epsilon }) => [epsilon, sample])).toEqual(
    [0.1, 0.25].flatMap((epsilon) => [...Array(8).keys()].map((sample) => [epsilon, sample])),
  );
  const radii = new Map(
    certificates.map(({ sample, certificate }) => [
      sample,
      certificate.outcome === 'robust' ? certificate.radius : 0,
    ]),
  );
  expect([...radii.values()].filter((radius) => radius > 0.2).length).toBeGreaterThan(4);
  for (const { sample, verdict, distance } of lines<Row>('proven/outcomes.jsonl'))
    if (verdict === 'broken') expect(distance!.l2).toBeGreaterThan(radii.get(sample)!);
  const [{ words, abstained, at }] = verdictOf('proven').certified as [Proven];
  expect(words).toMatch(/^Each certificate is wrong with probability 0.001 at most; 100 draws/);
  expect(abstained).toBe(certificates.filter(({ answer, epsilon }) => answer < 0 && epsilon === 0.1).length);
  const share = (epsilon: number) => [...radii.values()].filter((radius) => radius >= epsilon).length / 8;
  expect(at.map(({ epsilon, certified }) => [epsilon, certified])).toEqual([
    [0.1, share(0.1)],
    [0.25, share(0.25)],
  ]);
  expect(out).toContain('Proven by defence/smoothing. Each certificate is wrong with probability 0.001');
});

it('certifies a model', async () => {
  const args = ['--epsilon', '0.001,0.002', '--attack', 'fgsm', '--limit', '40', '--certifier', 'ibp'];
  const { status } = await audit(...args, '--out', 'ibp');
  expect(status).toBe(0);
  const [{ at }] = verdictOf('ibp').certified as [Proven];
  expect(at[0]!.certified).toBeGreaterThan(0.8);
  expect(at[1]!.certified).toBeLessThanOrEqual(at[0]!.certified!);
  expect(at[1]!.certified).toBeLessThanOrEqual(verdictOf('ibp').worstCase[1]!.robustAccuracy!);
  expect(lines<Certified>('ibp/certificates.jsonl')).toHaveLength(80);
});

it.each<[string, readonly string[], string]>([
  [
    'gradients by name that a defence stops',
    ['--defence', 'shut', '--attack', 'pgd'],
    'Unexpected defence that no gradient passes at defence/shut, expected gradients for attack/pgd.',
  ],
  [
    'what is crafted on others as all that is known of a defended model',
    ['--defence', 'jpeg', '--attack', 'pgd', '--surrogate', MLP],
    'Unexpected nothing but attacks that are crafted on other models at the plan',
  ],
  [
    'members without a defence that takes them',
    ['--defence', 'jpeg', '--members', MLP],
    'Unexpected 2 models at the stack, expected one.',
  ],
  [
    'a defence that takes several models, alone',
    ['--defence', 'ensemble'],
    'Unexpected one model at defence/ensemble, expected several. Name the others with --members.',
  ],
  ['members without defences', ['--members', MLP], 'Unexpected --members without --defence'],
  [
    'samples for detectors without one',
    ['--defence', 'jpeg', '--held-out', '9'],
    'Unexpected --held-out at the command line, expected a detector among the defences, or a universal attack.',
  ],
  [
    'too many samples for detectors',
    ['--defence', 'feature-squeezing', '--held-out', '200'],
    'Unexpected 200 of 200 samples held out at digits.npz',
  ],
  [
    'detectors that are fitted by what is attacked',
    ['--defence', 'feature-squeezing', '--fit-data', `${DIGITS}/digits.npz`],
    'Unexpected the data that is attacked at ',
  ],
  [
    'a training defence',
    ['--defence', 'distillation'],
    'Unexpected defence/distillation, which is of the kind training at --defence',
  ],
  ['a defence that is not there', ['--defence', 'jpg'], "Unexpected defence 'jpg' at --defence"],
  ['a surrogate that is not there', ['--surrogate', 'gone.onnx'], 'Unexpected missing file at gone.onnx'],
  [
    'a surrogate of other inputs',
    ['--surrogate', `${ROOT}fixtures/models/residual-torchscript.onnx`],
    'at residual-torchscript.onnx, expected [1,28,28] in [0,1], 10 classes, as digits.onnx.',
  ],
  [
    'an option of no defence',
    ['--defence', 'jpeg', '--set', 'jpeg.q=3'],
    "Unexpected option 'q' of defence/jpeg",
  ],
])('refuses %s', async (_, args, message) => {
  const { status, out, err } = await audit('--epsilon', '0.1', ...args, '--out', 'refused');
  expect({ status, out }).toEqual({ status: 2, out: '' });
  expect(err).toContain(message);
});
