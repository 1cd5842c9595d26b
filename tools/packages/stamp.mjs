/**
 * `node tools/packages/stamp.mjs`, in the checkout of a release: writes into every package that is published where it comes from, as the
 * environment of the workflow says, and takes out what only this checkout understands. Nothing of it is committed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { published, readJson, ROOT } from './pack.mjs';

/** A manifest as it is published: `at` is the address of the repository, `directory` the package's folder in it. */
export const stampedManifest = ({ exports, ...manifest }, at, directory) => ({
  ...manifest,
  exports: withoutSource(exports),
  repository: { type: 'git', url: `git+${at}.git`, directory },
  homepage: `${at}/tree/HEAD/${directory}#readme`,
  bugs: `${at}/issues`,
});

/** Exports without the condition by which this checkout finds sources: they are not packed. */
const withoutSource = (exports) =>
  typeof exports === 'string'
    ? exports
    : Object.fromEntries(
        Object.entries(exports)
          .filter(([condition]) => condition !== '@gauntlet/source')
          .map(([key, value]) => [key, withoutSource(value)]),
      );

/** A page whose relative links lead to the commit: npm takes them from the root of a repository, or for its own. */
export const stampedPage = (page, at, commit, directory) =>
  page.replace(
    /(\]\()(?![a-z]+:|#)([^)]+)\)/g,
    (_, open, link) => `${open}${at}/blob/${commit}/${posix.join(directory, link)})`,
  );

function stamp({ GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_SHA: commit }) {
  if (!server || !repository || !commit) {
    console.error(
      'Unexpected environment without GITHUB_SERVER_URL, GITHUB_REPOSITORY and GITHUB_SHA, expected that of the release workflow. Set them to stamp packages elsewhere.',
    );
    return 2;
  }
  const at = `${server}/${repository}`;
  for (const folder of published()) {
    const directory = relative(ROOT, folder).split('\\').join('/');
    const [manifest, page] = [join(folder, 'package.json'), join(folder, 'README.md')];
    writeFileSync(
      manifest,
      `${JSON.stringify(stampedManifest(readJson(manifest), at, directory), null, 2)}\n`,
    );
    writeFileSync(page, stampedPage(readFileSync(page, 'utf8'), at, commit, directory));
  }
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = stamp(process.env);
