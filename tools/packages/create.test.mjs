import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KINDS, RUNNERS } from '../../apps/create-gauntlet-plugin/dist/index.js';
import npz, { writeNpz } from '../../plugins/dataset-npz/dist/index.js';
import { ROOT } from './pack.mjs';
import { startRegistry } from './registry.mjs';
import { environment, JEST, typed } from './stranger.mjs';

const kinds = Object.keys(KINDS);
const runners = Object.keys(RUNNERS);
const folderOf = (kind, name) => `gauntlet-${KINDS[kind].family}-${name}`;
const DIGITS = join(ROOT, 'examples/digits');
const [MODEL, DATA] = [join(DIGITS, 'digits.onnx'), join(DIGITS, 'digits.npz')];
const opened = await npz.open(DATA, { bounds: [0, 1], options: { x: 'x', y: 'y' } });
const digits = await opened.batch(0, opened.samples);

let registry;
let folder;
/** Types a command in a folder, as a stranger whose npm has the packed packages. */
const type = (cwd, command, ...args) =>
  typed(cwd, command, args, {
    ...environment(),
    NO_COLOR: '1',
    npm_config_userconfig: registry.rc,
    npm_config_ignore_scripts: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  });
before(async () => {
  registry = await startRegistry();
  folder = mkdtempSync(join(tmpdir(), 'create-'));
});
after(() => {
  registry?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** How many tests a runner says it ran. */
const ran = (text) => Number(/^(?:ℹ|#|Tests:| +Tests) (?:tests )? *(\d+)/m.exec(text)?.[1]);

describe('a package of every kind, for every test runner', () => {
  let all;
  const names = (runner) => kinds.map((kind) => folderOf(kind, `${kind}-${runner}`));
  // One install, one compiler and one run of each test runner serve all.
  before(() => {
    all = join(folder, 'all');
    mkdirSync(all);
    writeFileSync(join(all, 'package.json'), '{ "private": true, "workspaces": ["gauntlet-*"] }');
    writeFileSync(
      join(all, 'vitest.config.mjs'),
      `export default { test: { projects: ['gauntlet-*-vitest'] } };\n`,
    );
    type(all, 'npm', 'install', 'create-gauntlet-plugin');
    for (const runner of runners)
      for (const kind of kinds)
        type(all, 'node_modules/.bin/create-gauntlet-plugin', kind, `${kind}-${runner}`, '--test', runner);
    type(all, 'npm', 'install');
  });

  it('type-checks', () => type(all, 'npx', 'tsc', '-b', ...runners.flatMap(names)));

  it('lints', () => type(all, 'npx', 'eslint', ...runners.flatMap(names).map((name) => `${name}/src`)));

  it('passes its tests, as many under each', () => {
    const counts = [
      type(all, process.execPath, '--test', ...names('node').map((name) => `${name}/dist/`)),
      type(all, 'npx', 'vitest', 'run'),
      // Jest reports to stderr.
      type(all, 'bash', '-c', `'${process.execPath}' ${JEST.join(' ')} --projects gauntlet-*-jest 2>&1`),
    ].map(ran);
    assert.ok(counts[0] > 10 * kinds.length, `${counts}`);
    assert.deepEqual(counts, Array(3).fill(counts[0]));
  });

  describe('is used by the command beside which it is installed', () => {
    let user;
    const gauntlet = (...args) => type(user, 'npx', 'gauntlet', ...args);
    const audit = (model, data, ...flags) =>
      JSON.parse(gauntlet('audit', model, '--data', data, '--json', ...flags));
    before(() => {
      user = join(folder, 'user');
      mkdirSync(user);
      writeFileSync(join(user, 'package.json'), '{ "private": true }');
      const spaces = names('node').flatMap((name) => ['--workspace', name]);
      type(all, 'npm', 'pack', '--silent', '--pack-destination', user, ...spaces);
      const ours = names('node').map((name) => `./${name}-0.0.0.tgz`);
      const theirs = ['@gauntlet/cli', '@gauntlet/adapter-onnx', '@gauntlet/attack-pgd', 'onnxruntime-node'];
      type(user, 'npm', 'install', ...theirs, ...ours);
    });

    it('is found', () => {
      const found = JSON.parse(gauntlet('plugins', '--json')).map(({ id }) => id);
      assert.deepEqual(
        found.filter((id) => id.endsWith('-node')),
        kinds.map((kind) => `${KINDS[kind].family}/${kind}-node`).sort(),
      );
    });

    it('attacks, certifies and measures on data of its own', () => {
      const attacks = ['attack-node', 'universal-node'];
      const named = [
        ...['--attack', `${attacks}`],
        '--certifier',
        'certifier-node',
        '--metric',
        'metric-node',
      ];
      const found = audit(MODEL, asIdx(user), '--epsilon', '0.002,0.2', ...named);
      const { data, results, worstCase, certified, metrics } = found;
      assert.deepEqual(data, { name: 'digits-images-idx3-ubyte', samples: 160 });
      const robust = (attack) =>
        results.find((one) => one.attack === `attack/${attack}` && one.epsilon === 0.2).robustAccuracy;
      assert.ok(robust('attack-node') < 0.05 && robust('universal-node') < 0.5, JSON.stringify(results));
      const proven = certified[0].at[0].certified;
      assert.ok(proven > 0.5 && proven <= worstCase[0].robustAccuracy, JSON.stringify(certified));
      assert.deepEqual(
        metrics.map(({ attack, value }) => [attack, value.broken === Math.round(value.rate * value.tried)]),
        attacks.flatMap((attack) => Array(2).fill([`attack/${attack}`, true])),
      );
    });

    it('defends a model', () => {
      const stack = ['detector-node', 'preprocessor-node', 'wrapper-node'];
      const flags = ['--defence', `${stack}`, '--members', join(DIGITS, 'hardened.onnx')];
      const few = ['--epsilon', '0.1', '--limit', '60', '--attack', 'attack-node'];
      const { clean, defences, results } = audit(MODEL, DATA, ...flags, ...few);
      assert.deepEqual(
        defences.map(({ kind }) => `${kind}-node`),
        stack,
      );
      assert.ok(clean.accuracy > 0.9, JSON.stringify(clean));
      assert.ok(results[0].robustAccuracy < 0.5, JSON.stringify(results));
    });

    it('trains a model', () => {
      const flags = ['--defence', 'training-node', '--epsilon', '0.1', '--epochs', '1'];
      const said = gauntlet('train', MODEL, '--data', DATA, ...flags, '-o', 'hardened.onnx');
      assert.match(said, /^digits\.onnx after defence\/training-node: epoch 1 of 1 was the best\.$/m);
      assert.ok(existsSync(join(user, 'hardened.onnx')));
    });

    it('opens a model of its own', async () => {
      const [model, data] = [join(user, 'means.linear'), join(user, 'flat.npz')];
      writeFileSync(model, JSON.stringify(nearestMean()));
      const { x, y } = digits;
      await writeNpz(data, [
        { name: 'x', dtype: '<f4', shape: [y.length, x.data.length / y.length], data: [bytesOf(x.data)] },
        { name: 'y', dtype: '<i4', shape: [y.length], data: [bytesOf(y)] },
      ]);
      const { clean, results } = audit(model, data, '--epsilon', '0.2', '--attack', 'attack-node');
      assert.ok(clean.accuracy > 0.7 && results[0].robustAccuracy < 0.4, JSON.stringify({ clean, results }));
    });
  });
});

for (const [runner, kind] of Object.entries({ vitest: 'universal', jest: 'dataset' })) {
  it(`a package begun by npm create stands alone, tested by ${runner}`, () => {
    // npm would answer from what it kept of an earlier run.
    const cache = ['--cache', join(folder, 'cache')];
    type(
      folder,
      'npm',
      ...cache,
      'create',
      '--yes',
      'gauntlet-plugin',
      kind,
      'alone',
      '--',
      '--test',
      runner,
    );
    const own = join(folder, folderOf(kind, 'alone'));
    type(own, 'npm', 'install');
    type(own, 'npm', 'run', 'lint');
    type(own, 'npm', 'test');
  });
}

const bytesOf = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength);

/** Digits in the format that the template of a data set opens: 8-bit images of one channel. */
function asIdx(to) {
  const path = join(to, 'digits-images-idx3-ubyte');
  const pixels = digits.x.data.map((value) => Math.round(255 * value));
  const sizes = [digits.y.length, ...digits.x.shape.slice(2)].flatMap((size) => [0, 0, 0, size]);
  writeFileSync(path, Uint8Array.from([0, 0, 8, 3, ...sizes, ...pixels]));
  const labels = path.replace('images-idx3', 'labels-idx1');
  writeFileSync(labels, Uint8Array.from([0, 0, 8, 1, 0, 0, 0, digits.y.length, ...digits.y]));
  return path;
}

/** A model in the format that the template of an adapter opens: the class whose mean m is nearest has the largest m x - m m / 2. */
function nearestMean() {
  const size = digits.x.data.length / digits.y.length;
  const weights = Array.from({ length: 10 }, (_, label) => {
    const own = [...digits.y.keys()].filter((i) => digits.y[i] === label);
    return Array.from(
      { length: size },
      (__, j) => own.reduce((sum, i) => sum + digits.x.data[i * size + j], 0) / own.length,
    );
  });
  return { weights, bias: weights.map((mean) => -mean.reduce((sum, v) => sum + v * v, 0) / 2) };
}
