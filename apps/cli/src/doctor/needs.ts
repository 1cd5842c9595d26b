import { realpathSync } from 'node:fs';
import semver from 'semver';
import { unexpected } from '@gauntlet/core';
import { findPackage, type Package, readManifest } from '../discover.js';

/** Whatever a package needs and does not find, or finds in a version that does not fit. */
export function missingNeeds({ name, folder }: Package): readonly Error[] {
  const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = readManifest(folder);
  return Object.entries({ ...peerDependencies, ...dependencies }).flatMap(([need, range]) => {
    const found = findPackage([realpathSync(folder)], need);
    const optional = peerDependenciesMeta[need]?.optional === true;
    if (found === null ? optional : semver.satisfies(found.version, range, { includePrerelease: true }))
      return [];
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
