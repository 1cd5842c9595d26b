import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { ROOT } from './pack.mjs';
import { startRegistry } from './registry.mjs';
import { environment, typed } from './stranger.mjs';
import { stepsOf } from './tutorial.mjs';

let registry;
before(async () => (registry = await startRegistry()));
after(() => registry?.stop());

/** Without the times that it took, which differ. */
const timeless = (text) => text.replace(/ +\d+\.\d s$/gm, ' ? s');

it('docs/tutorial.md does what it says, line by line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tutorial-'));
  const env = {
    ...environment(),
    npm_config_userconfig: registry.rc,
    npm_config_ignore_scripts: 'true',
  };
  let cwd = folder;
  for (const name of ['digits.onnx', 'digits.npz'])
    cpSync(join(ROOT, 'examples/digits', name), join(cwd, name));
  let printed = '';
  for (const { type, path, write, prints } of stepsOf(readFileSync(join(ROOT, 'docs/tutorial.md'), 'utf8'))) {
    if (write !== undefined) writeFileSync(join(cwd, path), write);
    if (prints !== undefined) assert.ok(timeless(printed).startsWith(timeless(prints)), printed);
    if (type?.startsWith('cd ')) cwd = join(cwd, type.slice(3));
    // npm would answer from what it kept of an earlier run.
    else if (type?.startsWith('npm create '))
      printed = typed(cwd, 'bash', ['-c', type], { ...env, npm_config_cache: join(folder, 'cache') });
    else if (type !== undefined) printed = typed(cwd, 'bash', ['-c', type], env);
  }
  rmSync(folder, { recursive: true, force: true });
});
