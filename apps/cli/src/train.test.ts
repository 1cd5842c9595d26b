import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readModel, writeModel } from '@gauntlet/onnx';
import type { AuditJson } from './index.js';
import { called } from './testing/called.js';
import { gauntlet, ROOT } from './testing/packed.js';

const { default: npz, writeNpz } = await import('@gauntlet/dataset-npz');

const SMALL = `${ROOT}fixtures/training/digits.onnx`;
const MODEL = `${ROOT}examples/digits/digits.onnx`;
const DATA = `${ROOT}fixtures/digits/train1000.npz`;
const TEST = `${ROOT}fixtures/digits/test500.npz`;

// Each test starts whole processes, on machines that may have other things to do.
import.meta.jest.setTimeout(240_000);

let user = '';
beforeAll(async () => {
  user = mkdtempSync(join(tmpdir(), 'train-'));
  copyFileSync(SMALL, join(user, 'small.onnx'));
  const all = await npz.open(DATA, { bounds: [0, 1], options: { x: 'x', y: 'y' } });
  const { x, y } = await all.batch(0, 500);
  const labels = new Uint8Array(BigInt64Array.from(y, BigInt).buffer);
  await writeNpz(join(user, 'few.npz'), [
    { name: 'x', dtype: '<f4', shape: x.shape, data: [new Uint8Array(x.data.buffer)] },
    { name: 'y', dtype: '<i8', shape: [500], data: [labels] },
  ]);
  const odd = readModel(readFileSync(MODEL));
  odd.graph!.node.find(({ opType }) => opType === 'Relu')!.opType = 'Hardmax';
  writeFileSync(join(user, 'odd.onnx'), writeModel(odd));
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

const harden = (model: string, out: string, ...more: string[]) =>
  gauntlet(user, [
    ...['train', model, '--data', DATA, '--defence', 'adversarial-training', '--epsilon', '0.1', '-o', out],
    ...more,
  ]);
const contentOf = (name: string) => readFileSync(join(user, name));

describe('gauntlet train', () => {
  it('hardens a model: in ten seconds, robust accuracy at 0.1 rises from 18% to 65% and more', async () => {
    const before = readFileSync(MODEL);
    const { status, out, err } = await harden(MODEL, 'hardened.onnx', '--epochs', '5');
    expect({ status, err }).toMatchObject({ status: 0 });
    expect(
      err
        .split('\n')
        .filter((line) =>
          /^gauntlet: hardening \d\/5: loss [\d.]+, clean [\d.]+%, robust [\d.]+%$/.test(line),
        ),
    ).toHaveLength(5);
    expect(out).toMatch(
      /^digits\.onnx after defence\/adversarial-training: epoch \d of 5 was the best\.\nOn 100 samples held out: clean/,
    );
    expect(readFileSync(MODEL).equals(before)).toBe(true);
    const audited = await gauntlet(user, [
      ...['audit', 'hardened.onnx', '--data', TEST, '--attack', 'pgd', '--epsilon', '0.1', '--json'],
    ]);
    const verdict = JSON.parse(audited.out) as AuditJson;
    expect(verdict.clean.accuracy).toBeGreaterThan(0.95);
    expect(verdict.worstCase[0]!.robustAccuracy).toBeGreaterThan(0.65);
  });

  it('writes down in the model how it was made', async () => {
    const model = readModel(contentOf('hardened.onnx'));
    const facts = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
    expect(facts['gauntlet.defence']).toBe('defence/adversarial-training');
    expect(JSON.parse(facts['gauntlet.training']!)).toMatchObject({
      model: { name: 'digits.onnx', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      data: { name: 'train1000.npz', heldOut: 100 },
      defence: { options: { ramp: 0.5, fresh: false } },
      threat: { norm: 'linf', epsilon: 0.1, attack: 'attack/pgd', crafting: { steps: 7, stepSize: 0.25 } },
      schedule: { epochs: 5, batchSize: 100, optimiser: { kind: 'adam', rate: 0.001 } },
      seed: 0,
    });
    expect(JSON.parse(facts['gauntlet.held-out']!)).toMatchObject({ samples: 100, stage: 'hardening' });
  });

  it('trains a student, too', async () => {
    const { status, out } = await gauntlet(user, [
      ...['train', SMALL, '--data', DATA, '--defence', 'distillation', '-o', 'student.onnx'],
      ...[
        '--epochs',
        '3',
        '--set',
        'distillation.temperature=5',
        '--optimiser',
        'sgd',
        '--learning-rate',
        '0.5',
      ],
    ]);
    expect({ status, out }).toMatchObject({
      status: 0,
      out: expect.not.stringContaining('robust') as string,
    });
    expect(readModel(contentOf('student.onnx')).graph!.initializer).toHaveLength(8);
  });
});

describe('an interrupted training', () => {
  const args = [
    ...['--data', 'few.npz', '--epochs', '4'],
    ...['--set', 'pgd.steps=3', '--set', 'adversarial-training.fresh=true'],
  ];

  it.each(['SIGINT', 'SIGKILL'] as const)('by %s goes on to the same bytes', async (signal) => {
    const [whole, out] = ['whole.onnx', `stopped-${signal}.onnx`];
    if (!existsSync(join(user, whole))) expect((await harden(SMALL, whole, ...args)).status).toBe(0);
    const stopped = await gauntlet(
      user,
      ['train', SMALL, '--defence', 'adversarial-training', '--epsilon', '0.1', '-o', out, ...args],
      (kill) => {
        const timer = setInterval(() => {
          if (!existsSync(join(user, `${out}.checkpoint`))) return;
          clearInterval(timer);
          kill(signal);
        }, 5);
      },
    );
    expect(existsSync(join(user, out))).toBe(false);
    if (signal === 'SIGINT') {
      expect(stopped.status).toBe(130);
      expect(stopped.err).toContain(
        `gauntlet: Interrupted: ${out}.checkpoint holds what was done. Run the same command to go on.\n`,
      );
    }
    const other = await harden(SMALL, out, ...args, '--seed', '1');
    expect(other.status).toBe(2);
    expect(other.err).toContain("Its seed is 0, this one's is 1.");
    const resumed = await harden(SMALL, out, ...args);
    expect({ status: resumed.status, err: resumed.err }).toMatchObject({
      status: 0,
      err: expect.stringContaining(`goes on from ${out}.checkpoint, stage hardening, after`) as string,
    });
    expect(contentOf(out).equals(contentOf(whole))).toBe(true);
    expect(readdirSync(user).filter((name) => name.startsWith(out))).toEqual([out]);
  });
});

describe('bad input is one sentence, exit code 2, and nothing is written', () => {
  const state = () =>
    readdirSync(user, { withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? [[entry.name, contentOf(entry.name).toString('latin1')]] : [],
    );
  const asked = (model: string, ...more: string[]) => ['train', model, '--data', DATA, ...more];

  it.each<[string, () => string[], RegExp]>([
    [
      'an unknown defence',
      () => asked(SMALL, '--defence', 'adversarial-trainnig', '-o', 'x.onnx'),
      /defence 'adversarial-trainnig' at --defence.*Did you mean adversarial-training\?/,
    ],
    [
      'an attack in place of a defence',
      () => asked(SMALL, '--defence', '@gauntlet/attack-pgd', '-o', 'x.onnx'),
      /attack\/pgd, which is of the kind evasion at --defence/,
    ],
    [
      'no radius',
      () => asked(SMALL, '--defence', 'adversarial-training', '-o', 'x.onnx'),
      /missing --epsilon at the command line/,
    ],
    [
      'a radius for what crafts nothing',
      () => asked(SMALL, '--defence', 'distillation', '--epsilon', '0.1', '-o', 'x.onnx'),
      /0\.1 at --epsilon, expected none, as defence\/distillation crafts no samples/,
    ],
    [
      'a missing model',
      () => asked('no.onnx', '--defence', 'distillation', '-o', 'x.onnx'),
      /missing file at no\.onnx/,
    ],
    [
      'a missing folder',
      () => asked(SMALL, '--defence', 'distillation', '-o', 'no/x.onnx'),
      /no, expected a folder to write to/,
    ],
    [
      'a model without gradients',
      () => asked('odd.onnx', '--defence', 'distillation', '-o', 'x.onnx'),
      /model without gradients at odd\.onnx/,
    ],
    [
      'more held out than there are',
      () => asked(SMALL, '--defence', 'distillation', '-o', 'x.onnx', '--held-out', '1000'),
      /1000 of 1000 samples held out at train1000\.npz/,
    ],
    [
      'an option that the defence has not',
      () => asked(SMALL, '--defence', 'distillation', '-o', 'x.onnx', '--set', 'distillation.temperatur=3'),
      /option 'temperatur' of defence\/distillation at --set.*Did you mean distillation\.temperature\?/,
    ],
    [
      'values outside the bounds',
      () => asked(SMALL, '--defence', 'distillation', '-o', 'x.onnx', '--bounds', '0,0.5'),
      /value [\d.]+ at sample \d+ of train1000\.npz, expected numbers from 0 to 0\.5/,
    ],
    [
      'the model in place of the file',
      () => asked('small.onnx', '--defence', 'distillation', '-o', './small.onnx', '--overwrite'),
      /the model itself at \.\/small\.onnx/,
    ],
  ])('%s', async (_, args, sentence) => {
    const before = state();
    const { status, out, err } = await called(user, args());
    expect({ status, out, lines: err.trimEnd().split('\n').length }).toEqual({
      status: 2,
      out: '',
      lines: 1,
    });
    expect(err).toMatch(sentence);
    expect(state()).toEqual(before);
  });

  it('does not replace a file, unless it is told to', async () => {
    writeFileSync(join(user, 'there.onnx'), 'mine');
    const all = ['--data', 'few.npz', '--epochs', '1', '--set', 'pgd.steps=1', '--held-out', '10'];
    const refused = await harden(SMALL, 'there.onnx', ...all);
    expect(refused).toMatchObject({ status: 2, out: '' });
    expect(refused.err).toMatch(/file that is there at there\.onnx.*--overwrite/);
    expect(contentOf('there.onnx').toString()).toBe('mine');
    expect((await harden(SMALL, 'there.onnx', ...all, '--overwrite')).status).toBe(0);
    expect(readModel(contentOf('there.onnx')).graph!.initializer).toHaveLength(8);
  });
});
