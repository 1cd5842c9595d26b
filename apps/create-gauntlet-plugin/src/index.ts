/** Packages for new plugins, as files: of their own, or for this repository. */
export { type Kind, type KindName, KINDS } from './kinds.js';
export { type RunnerName, RUNNERS } from './runners.js';
export { type Files, packageName, standalone, type Standalone, workspace } from './scaffold.js';
export { ownVersions, type Versions } from './versions.js';
