import { realpathSync } from 'node:fs';
import semver from 'semver';
import { unexpected } from '@gauntlet/core';
import { findPackage, type Package, readManifest } from '../discover.js';

/** Whatever a package needs and does not find, or finds in a version that does not fit. */
export function missingNeeds({ name, folder }: Package): readonly Error[] {
  const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = readManifest(folder);
  return Object.entries({ ...peerDependencies, ...dependencies }).flatMap(([need, range]) => {
    const found = findPackage([realpathSync(folder)], need);
    // A folder, an address or a tag says nothing of a version.
    const fits = (version: string) =>
      semver.validRange(range) === null || semver.satisfies(version, range, { includePrerelease: true });
    const optional = peerDependenciesMeta[need]?.optional === true;
    if (found === null ? optional : fits(found.version)) return [];
    return unexpected({
      found: found === null ? `missing ${need}` : `${need} ${found.version}`,
      at: name,
      expected: `${need} ${range}`,
      remedy: `Run npm install "${need}@${range}".`,
    });
  });
}

/** The folders of the copies of a package that packages find, each once. */
export function copiesOf(name: string, seekers: readonly Package[]): readonly Package[] {
  const copies = new Map<string, Package>();
  for (const { folder } of seekers) {
    const found = findPackage([realpathSync(folder)], name);
    if (found !== null) copies.set(realpathSync(found.folder), found);
  }
  return [...copies.values()];
}
