import { readFileSync } from 'node:fs';

/** The ranges with which packages are begun. */
export type Versions = Readonly<
  Record<
    | '@eslint/js'
    | '@gauntlet/core'
    | '@gauntlet/kit'
    | '@gauntlet/tensor'
    | '@gauntlet/testing'
    | '@jest/globals'
    | '@types/node'
    | 'eslint'
    | 'jest'
    | 'typescript'
    | 'typescript-eslint'
    | 'vitest'
    | 'zod',
    string
  >
>;

/** The ranges that this package was made for: those of its own manifest. */
export function ownVersions(): Versions {
  const { begins } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    begins: Versions;
  };
  return begins;
}
