import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './pack.mjs';

/** What the user's npm takes packages from, asked for when it is needed: no host is written down here. */
const upstream = () => run('npm', ['config', 'get', 'registry']).trim();

const OURS = { access: '$all', publish: '$all', unpublish: '$all' };

const config = (storage) => ({
  storage,
  auth: { htpasswd: { file: join(storage, 'htpasswd'), max_users: 1 } },
  uplinks: { up: { url: upstream(), timeout: '60s', max_fails: 10 } },
  packages: {
    '@gauntlet/*': OURS,
    'create-gauntlet-plugin': OURS,
    '**': { access: '$all', proxy: 'up' },
  },
  max_body_size: '100mb',
  log: { type: 'file', path: join(storage, 'verdaccio.log'), level: 'warn' },
});

/** Starts a registry on this machine that has our packages as they are published, unless it is empty, and everything else from where npm has it. */
export async function startRegistry({ empty = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'));
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config(folder)));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const bin = join(import.meta.dirname, 'node_modules/verdaccio/bin/verdaccio');
  const child = fork(bin, ['-c', 'config.yaml', '-l', `127.0.0.1:${port}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const stop = () => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await started(child);
    // The registry asks everyone for a token, and takes any.
    const rc = join(folder, 'npmrc');
    writeFileSync(rc, `registry=${url}\n//127.0.0.1:${port}/:_authToken=any\n`);
    if (!empty)
      run('npm', [
        'publish',
        '--workspaces',
        '--userconfig',
        rc,
        '--access',
        'public',
        '--loglevel',
        'error',
      ]);
    return { url, rc, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

/** Until it says that it takes requests. */
const started = (child) =>
  new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`verdaccio ended with exit code ${code}`)));
  });

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
