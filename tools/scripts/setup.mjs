// Installs what is missing here, or in the folder that is named: nothing happens when node_modules already matches the lock file.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';

process.chdir(process.argv[2] ?? '.');
const installed = 'node_modules/.package-lock.json';
const stale = !existsSync(installed) || statSync(installed).mtimeMs < statSync('package-lock.json').mtimeMs;
if (stale) {
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--loglevel=error'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  process.exit(status ?? 1);
}
