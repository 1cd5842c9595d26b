import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { readJson, ROOT } from './pack.mjs';

const LICENCE = readFileSync(join(ROOT, 'LICENSE'), 'utf8');
const { engines } = readJson(join(ROOT, 'package.json'));

/** Resolutions that a package of ES modules alone does not serve: the profile `esm-only` of are-the-types-wrong. */
const NOT_SERVED = ['node10', 'node16-cjs'];

/** What must not be packed. */
const STRAY = /\.test\.|(^|\/)(testing|src|node_modules)\/|\.tsbuildinfo$|\.map$|(^|\/)\./;

/** What is wrong with a packed package, one sentence each, beside the verdicts of other tools. */
export function problemsOf({ folder, manifest, texts }) {
  const problems = [];
  const must = (holds, problem) => holds || problems.push(problem);
  const { name, keywords = [], exports = {}, dependencies = {}, peerDependencies = {} } = manifest;

  // npm create finds its packages by an unscoped name.
  const wanted = /^create-/.test(basename(folder)) ? basename(folder) : `@gauntlet/${basename(folder)}`;
  must(name === wanted, `is named ${name}, not ${wanted}`);
  must(/^[^\s].{10,160}\.$/.test(manifest.description ?? ''), 'has no description of one sentence');
  must(manifest.license === 'Apache-2.0' && texts.get('LICENSE') === LICENCE, "lacks the root's licence");
  must(texts.get('README.md')?.startsWith(`# ${name}\n`), `has no README.md that begins with # ${name}`);
  must(manifest.type === 'module', 'is not of the type module');
  must(manifest.sideEffects === false, 'does not say sideEffects: false');
  must(manifest.engines?.node === engines.node, `does not ask for Node ${engines.node}`);
  must(exports['./package.json'] !== undefined, 'does not export its package.json');
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
    must(manifest.scripts?.[script] === undefined, `runs a script when it is installed: ${script}`);
  }

  const isPlugin = folder.startsWith(join(ROOT, 'plugins')) || basename(folder).startsWith('adapter-');
  const kind = basename(folder).replace(/-.*/, '');
  if (isPlugin) {
    must(
      ['gauntlet-plugin', kind].every((word) => keywords.includes(word)),
      `lacks the keywords gauntlet-plugin and ${kind}`,
    );
  }
  for (const [peer, range] of Object.entries(peerDependencies)) {
    // A minor step would leave ^0.1.0, and take this package to 1.0.0.
    must(
      !peer.startsWith('@gauntlet/') || /^>=\d\S* <\d+$/.test(range),
      `has ${peer} ${range} as a peer, not a range such as >=0.1.0 <1`,
    );
    must(dependencies[peer] === undefined, `has ${peer} as a peer and as a dependency`);
  }

  for (const target of targets(exports)) {
    must(texts.has(target.replace(/^\.\//, '')), `exports ${target}, which is not packed`);
  }
  for (const [path, text] of texts) {
    must(!STRAY.test(path), `packs ${path}`);
    const source = path.replace(/^dist\//, 'src/').replace(/(\.d\.ts|\.js)$/, '.ts');
    must(
      !path.startsWith('dist/') || existsSync(join(folder, source)),
      `packs ${path}, whose source is gone: remove dist, and build again`,
    );
    must(!text.includes('sourceMappingURL='), `packs ${path}, which points to a source map`);
    must(!text.includes(ROOT), `packs ${path}, which names a folder of this machine`);
  }
  return problems;
}

/** The files that `exports` leads to, but for those of this checkout's own condition. */
const targets = (exports) =>
  typeof exports === 'string'
    ? [exports]
    : Object.entries(exports).flatMap(([key, value]) => (key === '@gauntlet/source' ? [] : targets(value)));

/** What publint says of a tarball. */
export async function lint({ tarball }) {
  const { messages, pkg } = await publint({ pack: { tarball: bytesOf(tarball).buffer }, strict: true });
  return messages.map((message) => formatMessage(message, pkg, { color: false }));
}

/** What are-the-types-wrong says of a tarball. */
export async function typeProblems({ tarball }) {
  const { types, problems } = await checkPackage(createPackageFromTarballData(bytesOf(tarball)));
  if (types === false) return ['has no types'];
  return problems
    .filter(
      ({ resolutionKind, resolutionOption }) => !NOT_SERVED.includes(resolutionKind ?? resolutionOption),
    )
    .map(({ kind, resolutionKind, entrypoint }) => `${kind} at ${entrypoint} (${resolutionKind})`);
}

const bytesOf = (path) => Uint8Array.from(readFileSync(path));
