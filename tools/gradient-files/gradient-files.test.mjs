// Gradient files on the ONNX Runtimes of others, which setup has installed: node --test tools/gradient-files
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { numbersOf } from '@gauntlet/onnx';
import * as native from 'onnxruntime-node';
import * as web from 'onnxruntime-web';
import { chromium } from 'playwright-core';
import { halved, withHidden } from './models.mjs';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '../..');
const PYTHON = join(HERE, '.venv/bin/python');
const WEB = join(HERE, 'node_modules/onnxruntime-web/dist');
const { CHROMIUM } = process.env;
const fixture = (name) => join(ROOT, `fixtures/${name}.onnx`);
const DIGITS = { model: join(ROOT, 'examples/digits/digits.onnx'), samples: 'models/digits' };
const run = promisify(execFile);

web.env.wasm.numThreads = 1;

const folder = mkdtempSync(join(tmpdir(), 'gradient-files-'));
after(() => rmSync(folder, { recursive: true }));
const written = (name, bytes) => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

/** A model, the fixture that its samples are of, and the options of each gradient file. */
const MODELS = {
  digits: {
    ...DIGITS,
    files: ['--loss cross-entropy', '--loss log-odds', '--loss margin --wrt weights', '--lowering blocked'],
  },
  'mobilenet-v2-dynamo': { files: ['--loss cross-entropy', '--loss log-odds --wrt weights'] },
  'swin-torchscript': { files: ['--loss log-odds', '--loss cross-entropy --wrt weights'] },
  'lstm-torchscript': { files: ['--loss margin', '--loss cross-entropy --wrt weights'] },
  'cnn-opset9-torchscript': { files: ['--loss cross-entropy', '--loss log-odds --wrt weights'] },
  'cnn-batch1-dynamo': { files: ['--loss log-odds'] },
  'a label and probabilities': {
    model: fixture('sklearn/logreg-3'),
    samples: 'sklearn/logreg-3',
    files: ['--loss log-odds'],
  },
  'several outputs': {
    model: written('hidden.onnx', withHidden(readFileSync(fixture('models/mlp')))),
    samples: 'models/mlp',
    files: ['--output logits', '--output logits --loss margin --wrt weights'],
  },
  float16: {
    model: written('half.onnx', halved(readFileSync(fixture('models/cnn-torchscript')))),
    samples: 'models/cnn-torchscript',
    files: ['--loss cross-entropy', '--loss log-odds --wrt weights'],
  },
};

const CASES = Object.entries(MODELS).flatMap(
  ([name, { model = fixture(`models/${name}`), samples = `models/${name}`, files }]) =>
    files.map((options) => ({
      name: `${name} ${options}`,
      model,
      options,
      samples: join(ROOT, `fixtures/${samples}.npz`),
    })),
);

const gauntlet = (args) =>
  run(process.execPath, [join(ROOT, 'apps/cli/bin/gauntlet.js'), ...args], { cwd: folder });

/** Tensors as Python printed them. */
const unpacked = (packed) =>
  Object.fromEntries(
    Object.entries(packed).map(([name, { shape, data }]) => {
      const { buffer } = Uint8Array.from(globalThis.Buffer.from(data, 'base64'));
      return [name, { dims: shape, data: new (name === 'labels' ? BigInt64Array : Float32Array)(buffer) }];
    }),
  );

/** What an ONNX Runtime gives for inputs: numbers by the names of the outputs. */
async function outputsOf({ InferenceSession, Tensor }, file, inputs) {
  const session = await InferenceSession.create(file);
  const feeds = Object.entries(inputs).map(([name, { data, dims }]) => [
    name,
    new Tensor(data instanceof BigInt64Array ? 'int64' : 'float32', data, dims),
  ]);
  const outputs = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, dims, type }]) => [
      name,
      // Older versions of Node give the bits of float16.
      { type, dims, data: data instanceof Uint16Array ? numbersOf({ dtype: type, dims, data }) : data },
    ]),
  );
}

const size = (numbers) => Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0));

function assertSame(found, wanted) {
  assert.deepEqual(Object.keys(found), Object.keys(wanted));
  for (const [name, { data, dims, type }] of Object.entries(wanted)) {
    assert.deepEqual([...found[name].dims], [...dims], name);
    const distance = size(data.map((value, i) => value - found[name].data[i]));
    // Numbers that are all but equal may be rounded apart.
    const tolerance = type === 'float16' ? 2 ** -11 : 1e-5;
    assert.ok(distance <= tolerance * size(data), `${name}: ${distance} of ${size(data)}`);
  }
}

describe('a gradient file passes the checker of ONNX, and gives the same everywhere', () => {
  const files = CASES.map((_case, i) => join(folder, `${i}.onnx`));
  let answers;
  before(async () => {
    for (const [i, { model, options }] of CASES.entries())
      await gauntlet(['gradient', model, '-o', files[i], ...options.split(' ')]);
    const cases = written(
      'cases.json',
      JSON.stringify(CASES.map(({ samples }, i) => ({ file: files[i], samples }))),
    );
    const { stdout } = await run(PYTHON, [join(HERE, 'check.py'), cases], { maxBuffer: 2 ** 30 });
    answers = JSON.parse(stdout);
  });

  for (const [i, { name }] of CASES.entries()) {
    it(name, async () => {
      assert.equal(answers[i].error, undefined);
      const [inputs, inPython] = [unpacked(answers[i].inputs), unpacked(answers[i].outputs)];
      const here = await outputsOf(native, files[i], inputs);
      assertSame(inPython, here);
      assertSame(await outputsOf(web, files[i], inputs), here);
      assert.deepEqual(Object.keys(here).slice(0, 2), ['scores', 'loss']);
      assert.ok(Object.values(here).every(({ data }) => data.every(Number.isFinite)));
      assert.ok(
        Object.entries(here).some(([output, { data }]) => output.startsWith('gradient') && size(data) > 0),
      );
    });
  }
});

describe('what the README of onnx-grad shows', () => {
  const readme = readFileSync(join(ROOT, 'packages/onnx-grad/README.md'), 'utf8');
  const shown = (language, holding) => {
    const blocks = [...readme.matchAll(/^```(\w+)\n([^]*?)^```/gm)].filter(
      ([, its, code]) => its === language && code.includes(holding),
    );
    assert.equal(blocks.length, 1, `${language} with ${holding}`);
    return blocks[0][2];
  };
  const file = join(folder, 'grad.onnx');
  before(async () => {
    copyFileSync(DIGITS.model, join(folder, 'model.onnx'));
    const [, args] = shown('sh', 'gauntlet gradient').match(/^npx gauntlet (.*)\n$/);
    await gauntlet(args.split(' '));
  });

  it('runs in Python, and raises the loss', async () => {
    const program = `
import json, numpy
numpy.random.seed(0)
${shown('python', 'onnxruntime')}
after = session.run(['loss'], {'input': x, 'labels': y})[0]
print(json.dumps({name: value.tolist() for name, value in globals().items() if name in ('scores', 'loss', 'gradient', 'after')}))
`;
    const { stdout } = await run(PYTHON, ['-c', program], { cwd: folder });
    const { scores, loss, gradient, after: raised } = JSON.parse(stdout);
    assert.deepEqual([scores.length, gradient.length, loss.length], [4, 4, 4]);
    for (const [i, value] of loss.entries()) assert.ok(raised[i] > value, `${raised[i]} after ${value}`);
  });

  it('runs in a browser', { skip: CHROMIUM ? false : 'CHROMIUM names no browser' }, async () => {
    const pixels = Float32Array.from({ length: 28 * 28 }, (_, i) => Math.sin(i) ** 2);
    const page = `<script type="importmap">{ "imports": { "onnxruntime-web": "/ort.bundle.min.mjs" } }</script>
      <script>const pixels = Float32Array.of(${pixels.join()})</script>
      ${shown('html', 'onnxruntime-web').replace('</script>', 'globalThis.found = { scores, loss, gradient };</script>')}`;
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    after(() => browser.close());
    const tab = await browser.newPage();
    await tab.route('**/*', (route) => {
      const { pathname } = new globalThis.URL(route.request().url());
      if (pathname === '/') return route.fulfill({ contentType: 'text/html', body: page });
      return route.fulfill({ path: join(pathname === '/grad.onnx' ? folder : WEB, pathname) });
    });
    const broken = new Promise((_resolve, reject) => tab.on('pageerror', reject));
    await tab.goto('http://localhost/');
    await Promise.race([tab.waitForFunction(() => globalThis.found !== undefined), broken]);
    const found = await tab.evaluate(() =>
      Object.fromEntries(
        Object.entries(globalThis.found).map(([name, { data, dims }]) => [name, { data: [...data], dims }]),
      ),
    );
    const inputs = {
      input: { data: pixels, dims: [1, 1, 28, 28] },
      labels: { data: BigInt64Array.of(3n), dims: [1] },
    };
    assertSame(found, await outputsOf(native, file, inputs));
  });
});
