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

/** The ranges that this package was made for: those of its own manifest. Those that it is tested with itself follow every release. */
export function ownVersions(): Versions {
  const { begins, devDependencies } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { begins: object; devDependencies: object };
  return { ...begins, ...devDependencies } as Versions;
}
