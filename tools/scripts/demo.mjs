// Audits the embedded digit classifier: installs and builds what is missing, then runs the command that a user would type.
import { spawnSync } from 'node:child_process';

const run = (...args) => {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};

const AUDIT = [
  'examples/digits/digits.onnx',
  ...['--data', 'examples/digits/digits.npz'],
  ...['--norm', 'linf', '--epsilon', '0.05,0.1,0.2'],
  ...['--out', 'gauntlet-out/demo', '--overwrite'],
];

process.chdir(`${import.meta.dirname}/../..`);
run('tools/scripts/setup.mjs');
run('node_modules/typescript/bin/tsc', '-b');
console.log(`$ npx gauntlet audit ${AUDIT.join(' ')}\n`);
run('apps/cli/bin/gauntlet.js', 'audit', ...AUDIT);
