import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { published, ROOT, run } from './pack.mjs';
import { typed } from './stranger.mjs';

/** A copy of this checkout outside of it, installed and built as it is: its files, what is not committed yet among them, and nothing that is ignored. */
export function copyOfCheckout() {
  const folder = mkdtempSync(join(tmpdir(), 'checkout-'));
  const files = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']).split('\0');
  const built = published().map((own) => relative(ROOT, join(own, 'dist')));
  // With their times, by which tsc knows what is built already.
  for (const path of [...files, ...built].filter((path) => path !== '' && existsSync(join(ROOT, path))))
    cpSync(join(ROOT, path), join(folder, path), { recursive: true, preserveTimestamps: true });
  // Hard links cost nothing. npm replaces files, but for its list of what is installed, which it writes in place.
  run('cp', ['-al', join(ROOT, 'node_modules'), folder]);
  const list = 'node_modules/.package-lock.json';
  rmSync(join(folder, list));
  cpSync(join(ROOT, list), join(folder, list), { preserveTimestamps: true });
  return {
    folder,
    type: (command, ...args) => typed(folder, command, args),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
