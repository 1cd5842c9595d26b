import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { published, readJson, ROOT, run } from './pack.mjs';

const { devDependencies } = readJson(join(ROOT, 'package.json'));
const adapter = readJson(join(ROOT, 'packages/adapter-tfjs/package.json'));

/** The runtimes, in the versions that this checkout is tested with. */
const ONNX = `onnxruntime-node@${devDependencies['onnxruntime-node']}`;
const TFJS = `@tensorflow/tfjs@${adapter.devDependencies['@tensorflow/tfjs']}`;

/** Arguments of Node that run jest on ES modules, from a folder that has it. */
export const JEST = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];

/** What a user may install, by what the table of sizes calls it. */
export const INSTALLS = {
  cli: ['@gauntlet/cli'],
  onnx: ['@gauntlet/cli', '@gauntlet/adapter-onnx', ONNX, '@gauntlet/attack-pgd'],
  tfjs: ['@gauntlet/cli', '@gauntlet/adapter-tfjs', TFJS, '@gauntlet/attack-pgd'],
  everything: [...published().map((folder) => readJson(join(folder, 'package.json')).name), ONNX, TFJS],
};

/** An empty folder outside of every workspace, into which packages were installed from a registry: no script of theirs was run. */
export function install({ rc }, packages, ...flags) {
  const folder = mkdtempSync(join(tmpdir(), 'stranger-'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const quiet = ['--no-audit', '--no-fund', '--loglevel', 'error'];
  run('npm', ['install', '--userconfig', rc, '--ignore-scripts', ...quiet, ...flags, ...packages], {
    cwd: folder,
    env: environment(),
  });
  const files = readdirSync(join(folder, 'node_modules'), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile(),
  );
  return {
    folder,
    /** The names of all packages that came along. */
    packages: namesOf(files, folder),
    bytes: files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0),
    /** Runs the command that was installed. */
    gauntlet: (args, node = process.execPath) => {
      const bin = join(folder, 'node_modules/@gauntlet/cli/bin/gauntlet.js');
      const { status, stdout, stderr } = spawnSync(node, [bin, ...args], {
        cwd: folder,
        encoding: 'utf8',
        env: environment(),
      });
      return { status, out: stdout, err: stderr };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What a stranger's command prints; where it fails, what it printed is the message. */
export function typed(cwd, command, args, env = environment()) {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', env });
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`, { cause: error });
  }
}

/** The environment without what npm sets for the scripts that it runs, and node:test for its files: under that, `node --test` runs nothing, and passes. */
export const environment = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_(OPTIONS|TEST_CONTEXT)$/i.test(name)),
  );

function namesOf(files, folder) {
  const found = files.flatMap(({ parentPath, name }) => {
    const path = relative(folder, join(parentPath, name)).split('\\').join('/');
    return /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/@]+)\/package\.json$/.exec(path)?.[1] ?? [];
  });
  return [...new Set(found)].sort();
}
