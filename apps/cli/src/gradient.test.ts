import {
  copyFileSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readModel, TensorProto_DataLocation, writeModel } from '@gauntlet/onnx';
import { called } from './testing/called.js';
import { ROOT } from './testing/packed.js';

const MODEL = `${ROOT}examples/digits/digits.onnx`;

import.meta.jest.setTimeout(120_000);

let user = '';
const place = (name: string, bytes: Uint8Array | string) => writeFileSync(join(user, name), bytes);

beforeAll(() => {
  user = mkdtempSync(join(tmpdir(), 'gradient-'));
  copyFileSync(MODEL, join(user, 'model.onnx'));
  linkSync(join(user, 'model.onnx'), join(user, 'same.onnx'));
  place('cut.onnx', readFileSync(MODEL).subarray(0, 10_000));
  place('model.h5', 'something else');
  const external = readModel(readFileSync(MODEL));
  const [weights] = external.graph!.initializer;
  place('weights.onnx', weights!.rawData);
  weights!.rawData = new Uint8Array();
  weights!.dataLocation = TensorProto_DataLocation.EXTERNAL;
  weights!.externalData = [
    { $typeName: 'onnx.StringStringEntryProto', key: 'location', value: 'weights.onnx' },
  ];
  place('external.onnx', writeModel(external));
  const odd = readModel(readFileSync(MODEL));
  const node = odd.graph!.node.find(({ opType }) => opType === 'Relu')!;
  Object.assign(node, { opType: 'QuickGelu', domain: 'com.microsoft', name: 'the_odd_one' });
  odd.opsetImport.push({ $typeName: 'onnx.OperatorSetIdProto', domain: 'com.microsoft', version: 1n });
  place('no-gradient.onnx', writeModel(odd));
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

const state = () =>
  readdirSync(user).map((name) => [name, readFileSync(join(user, name)).toString('latin1')]);

describe('bad input is one sentence, exit code 2, and nothing is written', () => {
  it.each<[string, string[], RegExp]>([
    ['no file to write to', ['model.onnx'], /missing --out at the command line.*gauntlet gradient --help/],
    ['a missing model', ['no.onnx', '-o', 'out.onnx'], /missing file at no\.onnx, expected a model file/],
    ['a truncated model', ['cut.onnx', '-o', 'out.onnx'], /at cut\.onnx/],
    ['another format', ['model.h5', '-o', 'out.onnx'], /'\.h5' at model\.h5/],
    [
      'an unknown loss',
      ['model.onnx', '-o', 'out.onnx', '--loss', 'hinge'],
      /'hinge' at --loss, expected one of cross-entropy, log-odds, margin/,
    ],
    [
      'an unknown --wrt',
      ['model.onnx', '-o', 'out.onnx', '--wrt', 'labels'],
      /'labels' at --wrt, expected one of input, weights/,
    ],
    [
      'inputs beside --wrt weights',
      ['model.onnx', '-o', 'out.onnx', '--wrt', 'weights', '--input', 'a'],
      /'a' at --input, expected no such option beside --wrt weights/,
    ],
    [
      'an input that is not there',
      ['model.onnx', '-o', 'out.onnx', '--input', 'input,other'],
      /input "other" at model\.onnx, expected one of its inputs \("input"\)/,
    ],
    [
      'a shape that is none',
      ['model.onnx', '-o', 'out.onnx', '--shape', '1,x'],
      /'x' at --shape, expected a whole number/,
    ],
    ['a missing folder', ['model.onnx', '-o', 'no/out.onnx'], /no, expected a folder to write to/],
    [
      'the model in place of the file',
      ['model.onnx', '-o', './model.onnx'],
      /the model itself at \.\/model\.onnx/,
    ],
    ['the model under another name', ['model.onnx', '-o', 'same.onnx'], /the model itself at same\.onnx/],
    [
      "the model's weights in place of the file",
      ['external.onnx', '-o', 'weights.onnx'],
      /the model itself at weights\.onnx/,
    ],
    [
      'an op without a gradient',
      ['no-gradient.onnx', '-o', 'out.onnx'],
      /QuickGelu at node "the_odd_one".* of no-gradient\.onnx/,
    ],
  ])('%s', async (_name, args, message) => {
    const before = state();
    const { status, out, err } = await called(user, ['gradient', ...args]);
    expect(err).toMatch(message);
    expect(err).toMatch(/^gauntlet: Unexpected [^\n]* at [^\n]*, expected [^\n]*\. [^\n]*[.?]\n$/);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(state()).toEqual(before);
  });
});
