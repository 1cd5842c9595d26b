import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ModelProto, readModel, TensorProto_DataLocation, writeModel } from '@gauntlet/onnx';
import { main } from './index.js';
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

describe('one sentence, exit code 2 and nothing written', () => {
  it.each<[string, Partial<typeof good>, string[], RegExp]>([
    ['a missing model', { model: 'no.onnx' }, [], /missing file at no\.onnx/],
    ['a truncated model', { model: 'cut.onnx' }, [], /at cut\.onnx/],
    ['a file that is not ONNX', { model: 'text.onnx' }, [], /at text\.onnx/],
    ['a model of a kind that no adapter opens', { model: 'model.h5' }, [], /'\.h5' at model\.h5.*onnx/],
    ['external data that is missing', { model: 'missing-weights.onnx' }, [], /weights\.bin/],
    ['external data outside of the folder', { model: 'escaping-weights.onnx' }, [], /etc\/passwd/],
    [
      'an op without a gradient',
      { model: 'no-gradient.onnx' },
      [],
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
      /attack 'pdg'.*Did you mean pgd\?.*npm install @gauntlet\/attack-pdg/,
    ],
    ['an attack that is no plugin', {}, ['--attack', 'commander'], /not a plugin at commander/],
    ['a data set as an attack', {}, ['--attack', '@gauntlet/dataset-npz'], /dataset\/npz.* at --attack/],
    ['an unknown option of an attack', {}, ['--set', 'pgd.step=4'], /options at attack\/pgd.*step/],
    ['an option of nobody', {}, ['--set', 'pdg.steps=4'], /plugin 'pdg' at --set.*Did you mean pgd\?/],
    [
      'a target that is no class',
      {},
      ['--targeted', '10'],
      /class 10 at target, expected a class from 0 to 9/,
    ],
    ['a folder that holds another run', { out: 'other-run' }, [], /other run at other-run.*--overwrite/],
    ['a file in place of the folder', { out: 'file' }, [], /file at file/],
  ])('%s', async (_, change, more, message) => {
    const before = readdirSync(user).sort();
    const { status, out, err } = await gauntlet(user, command({ ...good, ...change }, ...more));
    expect(err).toMatch(message);
    expect(err).toMatch(/^gauntlet: Unexpected [^\n]* at [^\n]*, expected [^\n]*\. [^\n]*[.?]\n$/);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(readdirSync(user).sort()).toEqual(before);
    expect(readdirSync(join(user, 'other-run'))).toEqual(['plan.json']);
  });
});

describe('the command line', () => {
  it.each<[string, string[], RegExp]>([
    ['no command', [], /no command at the command line/],
    ['an unknown command', ['adit'], /command 'adit' .* Did you mean audit\?/],
    ['no model', ['audit', '--data', 'x', '--epsilon', '1'], /no model at the command line/],
    ['no data', ['audit', 'm.onnx', '--epsilon', '1'], /no --data at the command line/],
    ['an option without its value', ['audit', 'm.onnx', '--data'], /no value for --data/],
    [
      'an unknown option',
      ['audit', 'm', '--data', 'd', '--epsilon', '1', '--sed', '1'],
      /option '--sed' .* Did you mean one of --seed, /,
    ],
    ['an epsilon below zero', ['audit', 'm', '--data', 'd', '--epsilon', '-0.1'], /'-0\.1' at --epsilon/],
    ['too many arguments', ['audit', 'm', 'n', '--data', 'd', '--epsilon', '1'], /too many arguments/],
  ])('%s', async (_, args, message) => {
    let [out, err] = ['', ''];
    const status = await main(args, {
      cwd: user,
      out: (text) => (out += text),
      err: (text) => (err += text),
      interactive: { out: false, err: false },
      now: () => 0,
      signal: new AbortController().signal,
    });
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

it('shows the stack trace when asked', async () => {
  const { status, err } = await gauntlet(user, command({ ...good, model: 'no.onnx' }, '--verbose'));
  expect(status).toBe(2);
  expect(err).toMatch(/^gauntlet: Unexpected missing file.*\n[^]*\n {4}at .*prepare\.js/);
  expect(err).toContain('Caused by: Error: ENOENT');
});
