import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { called } from './testing/called.js';
import { gauntlet, ROOT } from './testing/packed.js';

const MODEL = `${ROOT}fixtures/tfjs/digits`;
const DATA = ['--data', `${ROOT}examples/digits/digits.npz`, '--epsilon', '0.1', '--limit', '20'];

import.meta.jest.setTimeout(120_000);

let user = '';
beforeAll(() => {
  user = mkdtempSync(join(tmpdir(), 'tfjs-'));
  cpSync(MODEL, join(user, 'digits'), { recursive: true });
  cpSync(`${MODEL}-graph`, join(user, 'graph'), { recursive: true });
  const json = readFileSync(`${MODEL}/model.json`, 'utf8');
  cpSync(MODEL, join(user, 'odd'), { recursive: true });
  writeFileSync(join(user, 'odd/model.json'), json.replace('"class_name":"ReLU"', '"class_name":"Mine"'));
  cpSync(MODEL, join(user, 'cut'), { recursive: true });
  rmSync(join(user, 'cut/weights.bin'));
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

describe('gauntlet audit', () => {
  it('converts a model of tfjs to ONNX and says so', async () => {
    const { status, out, err } = await gauntlet(user, ['audit', 'digits/model.json', ...DATA, '--json']);
    expect(err).toMatch(/model\.json is a model of tfjs: it was converted to ONNX.*--engine tf/);
    expect(status).toBe(0);
    const { clean, results } = JSON.parse(out) as {
      clean: { accuracy: number };
      results: { robustAccuracy: number }[];
    };
    expect(clean.accuracy).toBeGreaterThan(0.9);
    expect(Math.max(...results.map(({ robustAccuracy }) => robustAccuracy))).toBeLessThan(0.5);
  });

  it('takes a folder for the model.json in it, and the weights into the plan', async () => {
    const { status } = await called(user, ['audit', 'digits', ...DATA, '--out', 'out']);
    expect(status).toBe(0);
    const plan = JSON.parse(readFileSync(join(user, 'out/plan.json'), 'utf8')) as Record<string, unknown>;
    expect(plan).toMatchObject({
      engine: 'onnx',
      externalData: { 'weights.bin': expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  it('runs it in tfjs where that is asked for', async () => {
    const args = ['audit', 'digits', ...DATA, '--attack', 'fgsm', '--json'];
    const [found, wanted] = [await gauntlet(user, [...args, '--engine', 'tf']), await gauntlet(user, args)];
    expect(found.err).toMatch(/^gauntlet: tfjs runs in plain JavaScript/);
    const results = (out: string) =>
      (JSON.parse(out) as { results: Record<string, unknown>[] }).results.map((one) => ({
        ...one,
        seconds: 0,
      }));
    expect(results(found.out)).toEqual(results(wanted.out));
  });

  it('runs a GraphModel in tfjs, and says why', async () => {
    const { status, err } = await gauntlet(user, ['audit', 'graph', ...DATA, '--attack', 'fgsm', '--json']);
    expect(err).toMatch(
      /^gauntlet: The engine tf runs the model, since onnx cannot\. Unexpected GraphModel at graph\/model\.json/,
    );
    expect(status).toBe(0);
  });
});

describe('gauntlet convert', () => {
  it('writes the ONNX file that is in the fixtures', async () => {
    const { status, out } = await called(user, ['convert', 'digits/model.json', '-o', 'digits.onnx']);
    expect(out).toMatch(
      /^Inputs: {2}conv_1_input float32\[N, 28, 28, 1\]\nOutputs: scores float32\[N, scores\.1\]\nFile: digits\.onnx \(40 kB\)\n$/,
    );
    expect(status).toBe(0);
    expect(readFileSync(join(user, 'digits.onnx'))).toEqual(readFileSync(`${ROOT}fixtures/tfjs/digits.onnx`));
  });
});

describe('bad input is one sentence, exit code 2, and nothing is written', () => {
  it.each<[string, string[], RegExp]>([
    ['no file to write to', ['convert', 'digits/model.json'], /missing --out at the command line/],
    [
      'an ONNX file',
      ['convert', `${ROOT}examples/digits/digits.onnx`, '-o', 'no.onnx'],
      /ONNX model at .*Use it as it is/,
    ],
    [
      'a layer that ONNX has not',
      ['convert', 'odd/model.json', '-o', 'no.onnx'],
      /layer "relu" of the kind Mine at odd\/model\.json/,
    ],
    [
      'missing weights',
      ['convert', 'cut/model.json', '-o', 'no.onnx'],
      /missing weights "weights\.bin" at cut\/model\.json/,
    ],
    [
      'weights in place of the file',
      ['convert', 'digits/model.json', '-o', 'digits/weights.bin'],
      /the model itself at digits\/weights\.bin/,
    ],
    [
      'an engine that is not there',
      ['audit', 'digits', ...DATA, '--engine', 'gpu'],
      /engine 'gpu' at --engine, expected one that opens digits\/model\.json \(onnx, tf\)/,
    ],
    [
      'a folder without a model',
      ['audit', '.', ...DATA],
      /missing file at model\.json, expected a model file/,
    ],
  ])('%s', async (_name, args, message) => {
    const { status, out, err } = await called(user, args);
    expect(err).toMatch(message);
    expect(err).toMatch(/^gauntlet: Unexpected [^\n]* at [^\n]*, expected [^\n]*\. [^\n]*[.?]\n$/);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(existsSync(join(user, 'no.onnx'))).toBe(false);
    expect(readdirSync(join(user, 'digits')).sort()).toEqual(['model.json', 'weights.bin']);
  });
});
