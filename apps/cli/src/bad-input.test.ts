import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ModelProto, readModel, TensorProto_DataLocation, writeModel } from '@gauntlet/onnx';
import { called } from './testing/called.js';
import { gauntlet, ROOT } from './testing/packed.js';

const { writeNpz } = await import('@gauntlet/dataset-npz');

const MODEL = `${ROOT}examples/digits/digits.onnx`;
const DATA = `${ROOT}examples/digits/digits.npz`;

import.meta.jest.setTimeout(120_000);

let user = '';
const place = (name: string, bytes: Uint8Array | string) => writeFileSync(join(user, name), bytes);

async function placeData(
  name: string,
  change: { x?: Float32Array; y?: bigint[]; shape?: number[]; dtype?: string } = {},
) {
  const {
    x = new Float32Array(2 * 784).fill(0.5),
    y = [1n, 2n],
    shape = [2, 1, 28, 28],
    dtype = '<f4',
  } = change;
  await writeNpz(join(user, name), [
    { name: 'x', dtype, shape, data: [new Uint8Array(x.buffer)] },
    { name: 'y', dtype: '<i8', shape: [y.length], data: [new Uint8Array(BigInt64Array.from(y).buffer)] },
  ]);
}

function placeModel(name: string, change: (model: ModelProto) => void) {
  const model = readModel(readFileSync(MODEL));
  change(model);
  place(name, writeModel(model));
}

const outside = (location: string) => (model: ModelProto) => {
  const [weights] = model.graph!.initializer;
  weights!.dataLocation = TensorProto_DataLocation.EXTERNAL;
  weights!.rawData = new Uint8Array();
  weights!.externalData = [{ $typeName: 'onnx.StringStringEntryProto', key: 'location', value: location }];
};

beforeAll(async () => {
  user = mkdtempSync(join(tmpdir(), 'bad-input-'));
  const pixels = (value: number) => new Float32Array(2 * 784).fill(value);
  await placeData('good.npz');
  await placeData('nan.npz', { x: pixels(0.5).fill(NaN, 800, 801) });
  await placeData('bright.npz', { x: pixels(255) });
  await placeData('labels.npz', { y: [1n, 10n] });
  await placeData('flat.npz', { shape: [2, 784] });
  await placeData('integers.npz', { dtype: '<i4' });
  place('cut.npz', readFileSync(DATA).subarray(0, 20_000));
  place('text.npz', 'hello');
  place('cut.onnx', readFileSync(MODEL).subarray(0, 10_000));
  place('text.onnx', 'hello, I am not a model');
  place('model.h5', 'something else');
  placeModel('missing-weights.onnx', outside('weights.bin'));
  placeModel('escaping-weights.onnx', outside('../../../etc/passwd'));
  placeModel('no-gradient.onnx', (model) => {
    const node = model.graph!.node.find(({ opType }) => opType === 'Relu')!;
    node.opType = 'QuickGelu';
    node.domain = 'com.microsoft';
    node.name = 'the_odd_one';
    model.opsetImport.push({ $typeName: 'onnx.OperatorSetIdProto', domain: node.domain, version: 1n });
  });
  mkdirSync(join(user, 'other-run'));
  place('other-run/plan.json', '{}');
  place('file', '');
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

const good = { model: MODEL, data: 'good.npz', epsilon: '0.1', out: 'out' };
const command = ({ model, data, epsilon, out }: typeof good, ...more: string[]) => [
  'audit',
  model,
  '--data',
  data,
  '--epsilon',
  epsilon,
  '--out',
  out,
  ...more,
];

/** Cases: what is wrong, how a good command is changed, and what is said. */
const CASES: readonly (readonly [
  name: string,
  change: Partial<typeof good>,
  more: readonly string[],
  message: RegExp,
])[] = [
  ['a missing model', { model: 'no.onnx' }, [], /missing file at no\.onnx/],
  ['a truncated model', { model: 'cut.onnx' }, [], /at cut\.onnx/],
  ['a file that is not ONNX', { model: 'text.onnx' }, [], /at text\.onnx/],
  ['a model of a kind that no adapter opens', { model: 'model.h5' }, [], /'\.h5' at model\.h5.*onnx/],
  ['a model without an extension', { model: 'file' }, [], /model file without an extension at file/],
  ['data without an extension', { data: 'file' }, [], /file without an extension at file/],
  ['external data that is missing', { model: 'missing-weights.onnx' }, [], /weights\.bin/],
  ['external data outside of the folder', { model: 'escaping-weights.onnx' }, [], /etc\/passwd/],
  [
    'an op without a gradient',
    { model: 'no-gradient.onnx' },
    ['--attack', 'pgd'],
    /QuickGelu at node "the_odd_one".*No attack .* can still run on it/,
  ],
  ['missing data', { data: 'no.npz' }, [], /missing file at no\.npz/],
  ['truncated data', { data: 'cut.npz' }, [], /cut off at cut\.npz/],
  ['data that is not npz', { data: 'text.npz' }, [], /not a zip archive.* at text\.npz/],
  ['data of another shape', { data: 'flat.npz' }, [], /shape \[784\] at flat\.npz, expected \[1,28,28\]/],
  ['data of a wrong type', { data: 'integers.npz' }, [], /dtype i4 at array 'x' of integers\.npz/],
  ['a NaN', { data: 'nan.npz' }, [], /NaN at sample 1 of nan\.npz/],
  ['a value outside the bounds', { data: 'bright.npz' }, [], /value 255 at sample 0.*--bounds/],
  [
    'a label out of range',
    { data: 'labels.npz' },
    [],
    /label 10 at sample 1 of labels\.npz, expected a class from 0 to 9/,
  ],
  [
    'an unknown attack',
    {},
    ['--attack', 'pdg'],
    /attack 'pdg'.*Did you mean pgd\? gauntlet plugins search lists what could be installed\.$/m,
  ],
  [
    'an attack of which nothing is known',
    {},
    ['--attack', 'carlini-wagner'],
    /\([a-z, -]*fgsm, [a-z, -]*pgd[a-z, -]*\)\. Install the package that provides it; gauntlet plugins search lists those that exist\.$/m,
  ],
  ['an attack that is no plugin', {}, ['--attack', 'commander'], /not a plugin at commander/],
  ['a data set as an attack', {}, ['--attack', '@gauntlet/dataset-npz'], /dataset\/npz.* at --attack/],
  [
    'an unknown option of an attack',
    {},
    ['--set', 'pgd.stepz=4'],
    /option 'stepz' of attack\/pgd at --set, expected one of steps, stepSize, randomStart\. Did you mean pgd\.steps\?/,
  ],
  [
    'an option of an attack that has none',
    {},
    ['--set', 'fgsm.steps=4'],
    /'steps' of attack\/fgsm at --set, expected none/,
  ],
  [
    'a value that an option does not take',
    {},
    ['--set', 'pgd.steps=0'],
    /options at attack\/pgd.*Mend steps: expected a number of at least 1\.$/m,
  ],
  ['an option of nobody', {}, ['--set', 'pdg.steps=4'], /plugin 'pdg' at --set.*Did you mean pgd\?/],
  [
    'a target that is no class',
    {},
    ['--targeted', '10'],
    /class 10 at --targeted, expected a class from 0 to 9/,
  ],
  ['a folder that holds another run', { out: 'other-run' }, [], /other run at other-run.*--overwrite/],
  ['a file in place of the folder', { out: 'file' }, [], /file at file/],
];

// What could take a process down is tried in one of its own, also where the command is called in this one.
describe('one sentence, exit code 2 and nothing written', () => {
  let before: readonly string[] = [];
  beforeAll(() => (before = readdirSync(user).sort()));

  it.each(CASES)('%s', async (_name, change, more, message) => {
    const { status, out, err } = await called(user, command({ ...good, ...change }, ...more));
    expect(err).toMatch(message);
    expect(err).toMatch(/^gauntlet: Unexpected [^\n]* at [^\n]*, expected [^\n]*\. [^\n]*[.?]\n$/);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(readdirSync(user).sort()).toEqual(before);
    expect(readdirSync(join(user, 'other-run'))).toEqual(['plan.json']);
  });

  it('as a process of its own, with a file that is no model', async () => {
    const { status, out, err } = await gauntlet(user, command({ ...good, model: 'text.onnx' }));
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(/^gauntlet: Unexpected [^\n]* at text\.onnx, expected [^\n]*\n$/);
  });
});

describe('the command line', () => {
  it('answers with its help when it is given nothing', async () => {
    const { out: help } = await called(user, ['--help']);
    expect(help).toMatch(/^Usage: gauntlet/);
    expect(await called(user, [])).toEqual({ status: 2, out: '', err: help });
  });

  it('says defaults plainly', async () => {
    const { status, out, err } = await called(user, ['audit', '--help']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toContain('(default: auto)');
    expect(out).not.toMatch(/\(default: "/);
  });

  it.each<[string, string[], RegExp]>([
    ['an unknown command', ['adit'], /command 'adit' .* Did you mean audit\?/],
    [
      'no model',
      ['audit', '--data', 'x', '--epsilon', '1'],
      /missing model at the command line, expected <model>/,
    ],
    [
      'no data',
      ['audit', 'm.onnx', '--epsilon', '1'],
      /missing --data at the command line, expected --data <path>\./,
    ],
    [
      'no epsilon',
      ['audit', 'm.onnx', '--data', 'd'],
      /missing --epsilon at .*, expected --epsilon <list>\./,
    ],
    ['an option without its value', ['audit', 'm.onnx', '--data'], /missing value of --data/],
    [
      'an unknown option in place of a required one',
      ['audit', 'm', '--data', 'd', '--epsilons', '0.1'],
      /option '--epsilons' .* Did you mean --epsilon\?/,
    ],
    [
      'an unknown option',
      ['audit', 'm', '--data', 'd', '--epsilon', '1', '--sed', '1'],
      /option '--sed' .* Did you mean one of --seed, /,
    ],
    ['an epsilon below zero', ['audit', 'm', '--data', 'd', '--epsilon', '-0.1'], /'-0\.1' at --epsilon/],
    ['too many arguments', ['audit', 'm', 'n', '--data', 'd', '--epsilon', '1'], /too many arguments/],
  ])('%s', async (_, args, message) => {
    const { status, out, err } = await called(user, args);
    expect(err).toMatch(message);
    expect(err).toMatch(/^gauntlet: Unexpected [^\n]* at [^\n]*, expected [^\n]*\. [^\n]*[.?]\n$/);
    expect({ status, out }).toEqual({ status: 2, out: '' });
  });
});

it('tells all that is wrong with a plan at once', async () => {
  const { status, err } = await gauntlet(
    user,
    command({ ...good, data: 'flat.npz' }, '--targeted', '10', '--set', 'pgd.steps=0'),
  );
  expect(status).toBe(2);
  const lines = err.trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines.every((line) => line.startsWith('gauntlet: Unexpected '))).toBe(true);
});

it('does not mind a reader that leaves', async () => {
  const child = spawn(process.execPath, [`${ROOT}apps/cli/bin/gauntlet.js`, 'audit', '--help']);
  child.stdout.destroy();
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect({ status, err }).toEqual({ status: 0, err: '' });
});

it('shows the stack trace when asked', async () => {
  const { status, err } = await gauntlet(user, command({ ...good, model: 'no.onnx' }, '--verbose'));
  expect(status).toBe(2);
  expect(err).toMatch(/^gauntlet: Unexpected missing file.*\n[^]*\n {4}at .*prepare\.js/);
  expect(err).toContain('Caused by: Error: ENOENT');
});
