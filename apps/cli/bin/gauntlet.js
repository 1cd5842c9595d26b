#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers';
import { URL } from 'node:url';

const { version, engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const argv = process.argv.slice(2);

if (isOlder(process.versions.node, engines.node.replace('>=', ''))) {
  refuse(
    `Node ${process.versions.node} at ${process.execPath}, expected ${engines.node}. Install a newer Node.`,
  );
} else if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  // Answered before anything else is loaded.
  process.stdout.write(`${version}\n`);
} else {
  const main = await load();
  if (main !== null) process.exitCode = await main(argv);
  // What was interrupted may still be at work, in a child process for instance: it has a second to end well.
  if (process.exitCode === 130) setTimeout(() => process.exit(), 1000).unref();
}

async function load() {
  try {
    return (await import('../dist/main.js')).main;
  } catch (error) {
    const missing = /Cannot find package '([^']+)'/.exec(error.message);
    if (missing === null) throw error;
    refuse(
      `missing ${missing[1]} at @gauntlet/cli, expected all that it needs. Run npm install @gauntlet/cli.`,
    );
    return null;
  }
}

function refuse(what) {
  process.stderr.write(`gauntlet: Unexpected ${what}\n`);
  process.exitCode = 2;
}

function isOlder(version, least) {
  const [major, minor] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = least.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}
