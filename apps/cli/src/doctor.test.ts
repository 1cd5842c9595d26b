import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gauntlet, installPacked, ROOT } from './testing/packed.js';

import.meta.jest.setTimeout(120_000);

let sound = '';
const folders: string[] = [];
beforeAll(() => {
  sound = installPacked([
    '@gauntlet/cli',
    '@gauntlet/adapter-onnx',
    '@gauntlet/attack-fgsm',
    '@gauntlet/attack-pgd',
  ]);
  folders.push(sound);
});
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** Another copy of the sound installation, to be broken. */
function copy(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'doctor-'));
  folders.push(folder);
  cpSync(join(sound, 'node_modules'), join(folder, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  return folder;
}

function add(folder: string, name: string, code: string, manifest: object = {}): void {
  const own = join(folder, 'node_modules', name);
  mkdirSync(own, { recursive: true });
  writeFileSync(
    join(own, 'package.json'),
    JSON.stringify({ name, version: '1.0.0', type: 'module', exports: './main.js', ...manifest }),
  );
  writeFileSync(join(own, 'main.js'), code);
}

async function diagnose(folder: string) {
  const { status, out, err } = await gauntlet(folder, ['doctor', '--json']);
  const { problems, advice, ...facts } = JSON.parse(out) as Record<'problems' | 'advice', string[]> & object;
  return { status, err, problems, advice, facts };
}

it('finds nothing wrong with a sound installation, and says what is there', async () => {
  const { facts, ...found } = await diagnose(sound);
  expect(found).toEqual({ status: 0, err: '', problems: [], advice: [] });
  expect(facts).toMatchObject({
    gauntlet: '0.1.0',
    node: process.versions.node,
    runtimes: [{ name: 'onnxruntime-node', version: expect.stringMatching(/^\d+\.\d+\.\d+/), notice: null }],
  });
  expect((await gauntlet(sound, ['doctor'])).out).toMatch(
    /^gauntlet \S+ on Node \S+, .*\n\d+ plugins can be loaded\nonnxruntime-node \S+ works\n\nNo problem was found\.\n$/,
  );
});

it('names each plugin that cannot be used, with the remedy, and lets none hide the others', async () => {
  const folder = copy();
  const plugin = (id: string, api: string, more = '') =>
    `export default { kind: 'metric', id: '${id}', api: '${api}', summary: 'One.', per: 'run', over: () => null, ${more} };`;
  add(folder, 'gauntlet-attack-double', plugin('attack/pgd', 'gauntlet/1'));
  add(folder, 'gauntlet-metric-old', plugin('metric/old', 'gauntlet/0'));
  add(folder, 'gauntlet-metric-plain', 'export default { id: "metric/plain" };');
  add(folder, 'gauntlet-metric-throws', 'throw new TypeError("no such thing");');
  add(folder, 'gauntlet-metric-peerless', plugin('metric/peerless', 'gauntlet/1'), {
    dependencies: { '@gauntlet/tensor': 'file:../tensor' },
    peerDependencies: { '@gauntlet/core': '>=7 <8', 'left-pad': '^1.0.0', ignored: '1' },
    peerDependenciesMeta: { ignored: { optional: true } },
  });
  add(
    folder,
    'gauntlet-adapter-crashes',
    plugin('adapter/crashes', 'gauntlet/1', 'kind: "adapter", runtime: () => process.abort()'),
  );
  const second = 'node_modules/@gauntlet/attack-fgsm/node_modules/@gauntlet/core';
  cpSync(join(folder, 'node_modules/@gauntlet/core'), join(folder, second), { recursive: true });

  const { status, err, problems, advice } = await diagnose(folder);
  expect(status).toBe(2);
  expect(err).toBe(
    'gauntlet: Unexpected 7 problems at this installation, expected none. Do what each of them says, then run gauntlet doctor again.\n',
  );
  expect(problems).toEqual([
    'Unexpected @gauntlet/core 0.1.0 at gauntlet-metric-peerless, expected @gauntlet/core >=7 <8. Run npm install "@gauntlet/core@>=7 <8".',
    'Unexpected missing left-pad at gauntlet-metric-peerless, expected left-pad ^1.0.0. Run npm install "left-pad@^1.0.0".',
    'Unexpected second owner of attack/pgd at gauntlet-attack-double, expected only @gauntlet/attack-pgd. Remove one of the two.',
    'Unexpected plugin metric/old for the contracts gauntlet/0 at gauntlet-metric-old, expected gauntlet/1. Install a version of the plugin that matches @gauntlet/core.',
    'Unexpected default export that is not a plugin at gauntlet-metric-plain, expected the value that a function of @gauntlet/core returns, such as defineAttack or definePreprocessor. Name a Gauntlet plugin, or mend its default export.',
    'Unexpected package that fails when it is imported (no such thing) at gauntlet-metric-throws, expected one that can be imported. Install another version of it, or remove it.',
    expect.stringMatching(
      /^Unexpected runtime that takes its process down \(\w+\) at gauntlet-adapter-crashes, expected one/,
    ),
  ]);
  const places = ['node_modules/@gauntlet/core', second].map((path) => `0.1.0 at ${join(folder, path)}`);
  expect(advice).toEqual([
    `2 copies of @gauntlet/core are installed (${places.join(' and ')}): one would do. Run npm dedupe.`,
  ]);

  const listed = await gauntlet(folder, ['plugins', '--json']);
  expect(listed.status).toBe(0);
  expect(listed.err.match(/^gauntlet: Unexpected /gm)).toHaveLength(4);
  expect((JSON.parse(listed.out) as object[]).length).toBeGreaterThanOrEqual(6);
});

it('knows a native library that is broken, and what is not installed', async () => {
  const folder = copy();
  const runtime = join(folder, 'node_modules/onnxruntime-node');
  rmSync(runtime);
  for (const part of ['package.json', 'dist']) {
    cpSync(join(ROOT, 'node_modules/onnxruntime-node', part), join(runtime, part), { recursive: true });
  }
  symlinkSync(
    join(ROOT, 'node_modules/onnxruntime-common'),
    join(folder, 'node_modules/onnxruntime-common'),
    'junction',
  );
  const where = /\.\.\/bin\/[\w-]+/.exec(readFileSync(join(runtime, 'dist/binding.js'), 'utf8'))![0];
  const library = join(runtime, 'dist', where, process.platform, process.arch, 'onnxruntime_binding.node');
  mkdirSync(dirname(library), { recursive: true });
  writeFileSync(library, 'cut off');
  for (const name of ['fgsm', 'pgd']) {
    rmSync(join(folder, `node_modules/@gauntlet/attack-${name}`), { recursive: true });
  }
  const { status, problems } = await diagnose(folder);
  expect(status).toBe(2);
  expect(problems).toEqual([
    expect.stringMatching(
      /^Unexpected broken onnxruntime-node \(.*onnxruntime_binding\.node.*\) at .* Install it with: npm install onnxruntime-node/,
    ),
    'Unexpected no attack at the installed packages, expected at least one. Run npm install @gauntlet/attack-pgd.',
  ]);
});

it('is one sentence where the command itself lacks a package', async () => {
  const folder = copy();
  rmSync(join(folder, 'node_modules/commander'));
  expect(await gauntlet(folder, ['doctor'])).toEqual({
    status: 2,
    out: '',
    err: 'gauntlet: Unexpected missing commander at @gauntlet/cli, expected all that it needs. Run npm install @gauntlet/cli.\n',
  });
});
