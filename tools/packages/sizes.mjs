/**
 * `npm run sizes`: measures the packages and what installing some of them takes, prints it, and writes it where the docs show it.
 * `npm run sizes -- packed` leaves installations out: seconds instead of minutes.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pack, published, ROOT, run } from './pack.mjs';
import { startRegistry } from './registry.mjs';
import { install, INSTALLS } from './stranger.mjs';

/** Where each table stands. */
export const INSTALLED = 'README.md';
export const PACKED = 'docs/sizes.md';

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
const kilobytes = (bytes) => `${Math.round(bytes / 1e3)} kB`;

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const versionless = (name) => name.replace(/(.)@.*/, '$1');

/** What installs take: each of `INSTALLS` by what came along. */
export const installTable = (users) =>
  table(
    ['npm install', 'packages', 'on disk'],
    Object.entries(users).map(([set, { packages, bytes }]) => [
      set === 'everything' ? set : INSTALLS[set].map((name) => `\`${versionless(name)}\``).join(' '),
      packages.length,
      megabytes(bytes),
    ]),
  );

/** What is downloaded and what is unpacked, of each package of ours alone. */
export const packTable = (packs) =>
  table(
    ['package', 'packed', 'unpacked'],
    packs.map(({ name, size, unpackedSize }) => [`\`${name}\``, kilobytes(size), kilobytes(unpackedSize)]),
  );

const MARKS = /(<!-- npm run sizes -->\n\n)[^]*?(\n\n<!-- end -->)/;

/** By how much a number may have drifted, as a share of it: packages grow. */
const SLACK = 0.25;

/** How the table of a page differs from a fresh one, beyond a little drift. */
export function drift(page, fresh) {
  const shown = rowsOf(MARKS.exec(readFileSync(join(ROOT, page), 'utf8'))[0]);
  const measured = rowsOf(fresh);
  return [...new Set([...shown.keys(), ...measured.keys()])].flatMap((name) => {
    const [was, is] = [shown.get(name), measured.get(name)];
    const near = was?.every((number, i) => is && Math.abs(number - is[i]) <= 5 + SLACK * is[i]);
    return near ? [] : [`${page} says ${was} of ${name}, measured ${is}: npm run sizes`];
  });
}

const rowsOf = (text) =>
  new Map(
    text
      .split('\n')
      .filter((line) => /^\|.*\d/.test(line))
      .map((line) => line.split('|').slice(1, -1))
      .map(([name, ...numbers]) => [name.trim(), numbers.map((cell) => parseFloat(cell))]),
  );

async function measureInstalls() {
  run(process.execPath, ['tools/scripts/setup.mjs', 'tools/packages']);
  const registry = await startRegistry();
  try {
    const users = {};
    for (const [set, packages] of Object.entries(INSTALLS)) {
      users[set] = install(registry, packages);
      users[set].remove();
    }
    return installTable(users);
  } finally {
    registry.stop();
  }
}

function measurePacked() {
  const to = mkdtempSync(join(tmpdir(), 'packages-'));
  try {
    return packTable(pack(published(), to));
  } finally {
    rmSync(to, { recursive: true });
  }
}

function show(page, fresh) {
  const path = join(ROOT, page);
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(MARKS, (_, before, after) => before + fresh + after),
  );
  run(join(ROOT, 'node_modules/.bin/prettier'), ['--write', page]);
  console.log(MARKS.exec(readFileSync(path, 'utf8'))[0].split('\n').slice(2, -2).join('\n'), '\n');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  show(PACKED, measurePacked());
  if (process.argv[2] !== 'packed') show(INSTALLED, await measureInstalls());
}
