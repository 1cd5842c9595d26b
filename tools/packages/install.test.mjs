import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ROOT } from './pack.mjs';
import { startRegistry } from './registry.mjs';
import { drift, INSTALLED, installTable } from './sizes.mjs';
import { install, INSTALLS } from './stranger.mjs';

const DATA = ['--data', `${ROOT}/examples/digits/digits.npz`, '--epsilon', '0.1'];
const ONNX = ['audit', `${ROOT}/examples/digits/digits.onnx`, ...DATA];
const TFJS = ['audit', `${ROOT}/fixtures/tfjs/digits`, ...DATA];
const FEW = ['--limit', '20', '--set', 'pgd.steps=5'];

const OTHER_ATTACKS = /attack-(?!pgd$)/;
const TEST_TOOLS = /jest|vitest|mocha|fast-check|playwright|@swc|typescript|eslint|@gauntlet\/testing/;

let registry;
before(async () => (registry = await startRegistry()));
after(() => registry?.stop());

/** What an audit found, but for the time that it took. */
const found = ({ status, out, err }) => {
  assert.equal(status, 0, err);
  return JSON.parse(out).results.map(({ attack, epsilon, robustAccuracy, queries }) => ({
    attack,
    epsilon,
    robustAccuracy,
    queries,
  }));
};

/** Binaries of Node that npm carries, where there are some for this platform. */
const nodeOf = (major) => join(import.meta.dirname, `node_modules/node-${major}/bin/node`);
const NODES = process.platform === 'linux' && process.arch === 'x64' ? [20, 22, 24] : [];

/** Runs an audit on another Node than this one. */
function sameOn(major, user, audit) {
  const args = [...audit, ...FEW, '--json'];
  user.found ??= found(user.gauntlet(args));
  assert.deepEqual(found(user.gauntlet(args, nodeOf(major))), user.found);
}

/** What was installed for each set of packages, for the table of sizes. */
const users = {};

function installs(set) {
  const user = (users[set] = {});
  before(() => Object.assign(user, install(registry, INSTALLS[set])));
  after(() => user.remove?.());
  return user;
}

describe('the command, the adapter of ONNX and one attack', () => {
  const user = installs('onnx');

  it('bring no other attack, no tfjs and no test tool', () => {
    assert.ok(user.packages.includes('@gauntlet/attack-pgd') && user.packages.includes('onnxruntime-node'));
    const stray = [OTHER_ATTACKS, /^@tensorflow\//, TEST_TOOLS];
    assert.deepEqual(
      user.packages.filter((name) => stray.some((pattern) => pattern.test(name))),
      [],
    );
  });

  it('audit the digit model', () => {
    const { status, out, err } = user.gauntlet(ONNX);
    assert.deepEqual({ status, err }, { status: 0, err: '' });
    assert.match(out, /^pgd +0\.1 +96\.5% +17\.\d%/m);
    assert.match(out, /^worst case +0\.1 +96\.5% +17\.\d%/m);
  });

  for (const major of NODES) {
    it(`find the same on Node ${major}`, () => sameOn(major, user, ONNX));
  }

  it('say what to install where the runtime is missing', () => {
    rmSync(join(user.folder, 'node_modules/onnxruntime-node'), { recursive: true });
    assert.deepEqual(user.gauntlet(ONNX), {
      status: 2,
      out: '',
      err: 'gauntlet: Unexpected missing onnxruntime-node at the node_modules folder, expected ONNX Runtime, which runs .onnx files. Install it with: npm install onnxruntime-node --onnxruntime-node-install=skip\n',
    });
  });
});

describe('the command, the adapter of tfjs and one attack', () => {
  const user = installs('tfjs');

  it('bring no ONNX Runtime, no other attack and no test tool', () => {
    assert.ok(user.packages.includes('@tensorflow/tfjs'));
    const stray = [OTHER_ATTACKS, /onnxruntime|adapter-onnx/, TEST_TOOLS];
    assert.deepEqual(
      user.packages.filter((name) => stray.some((pattern) => pattern.test(name))),
      [],
    );
  });

  it('audit a model of tfjs', () => {
    const { status, out, err } = user.gauntlet([...TFJS, ...FEW]);
    assert.equal(status, 0, err);
    assert.match(err, /^gauntlet: tfjs runs in plain JavaScript[^\n]*\n$/);
    assert.match(out, /^pgd +0\.1 +95\.0% +40\.0%/m);
  });

  for (const major of NODES) {
    it(`find the same on Node ${major}`, () => sameOn(major, user, TFJS));
  }

  it('say what to install where tfjs is missing', () => {
    rmSync(join(user.folder, 'node_modules/@tensorflow/tfjs'), { recursive: true });
    const { status, out, err } = user.gauntlet(TFJS);
    assert.deepEqual({ status, out }, { status: 2, out: '' });
    assert.equal(
      err,
      'gauntlet: Unexpected no tfjs at the installed packages, expected @tensorflow/tfjs-node or @tensorflow/tfjs. Run npm install @tensorflow/tfjs-node.\n',
    );
  });
});

describe('the command alone', () => {
  const user = installs('cli');

  it('says what to install', () => {
    const { status, out, err } = user.gauntlet(ONNX);
    assert.deepEqual({ status, out }, { status: 2, out: '' });
    assert.match(err, /^gauntlet: Unexpected no attack at [^\n]+ Run npm install @gauntlet\/attack-pgd\.\n$/);
  });
});

describe('everything', () => {
  const user = installs('everything');

  it('takes what the README says, as do the others', () => {
    assert.deepEqual(drift(INSTALLED, installTable(users)), []);
  });

  it('is sound', () => {
    const { status, out, err } = user.gauntlet(['doctor', '--json']);
    assert.deepEqual({ status, err }, { status: 0, err: '' });
    const { problems, plugins, runtimes } = JSON.parse(out);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      runtimes.map(({ name }) => name),
      ['onnxruntime-node', 'tfjs on cpu'],
    );
    const known = JSON.parse(user.gauntlet(['plugins', 'search', '--offline', '--json']).out);
    assert.deepEqual(
      known.map(({ package: name }) => name),
      plugins.map(({ package: name }) => name),
    );
  });

  it('asks for a newer Node in one sentence', { skip: NODES.length === 0 }, () => {
    const { status, out, err } = user.gauntlet(['doctor'], nodeOf(18));
    assert.deepEqual({ status, out }, { status: 2, out: '' });
    assert.match(err, /^gauntlet: Unexpected Node 18\.[^\n]+, expected >=20\.19\. Install a newer Node\.\n$/);
  });
});
