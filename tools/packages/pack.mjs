import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The checkout. */
export const ROOT = join(import.meta.dirname, '../..');

const WINDOWS = process.platform === 'win32';

/** What a command prints; its errors are thrown. */
export const run = (command, args, options = {}) =>
  execFileSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: WINDOWS,
    maxBuffer: 2 ** 28,
    timeout: 600_000,
    ...options,
  });

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** The folders of all workspaces that are published. */
export const published = () =>
  ['packages', 'plugins', 'apps']
    .flatMap((group) => readdirSync(join(ROOT, group)).map((name) => join(ROOT, group, name)))
    .filter((folder) => !readJson(join(folder, 'package.json')).private);

/** Packs folders as npm would send them, into another: for each, its tarball, its manifest, and the text of what is in it by path. */
export function pack(folders, to) {
  const args = ['pack', '--json', '--silent', '--pack-destination', to];
  const printed = JSON.parse(run('npm', [...args, ...folders.flatMap((folder) => ['--workspace', folder])]));
  return Object.values(printed).map(({ name, filename, size, unpackedSize, files }) => {
    const unpacked = join(to, basename(filename, '.tgz'));
    mkdirSync(unpacked);
    run('tar', ['-xzf', join(to, filename), '-C', unpacked, '--strip-components', '1']);
    return {
      name,
      folder: folders.find((folder) => readJson(join(folder, 'package.json')).name === name),
      tarball: join(to, filename),
      size,
      unpackedSize,
      manifest: readJson(join(unpacked, 'package.json')),
      texts: new Map(files.map(({ path }) => [path, readFileSync(join(unpacked, path), 'utf8')])),
    };
  });
}
