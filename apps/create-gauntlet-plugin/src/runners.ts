import type { Versions } from './versions.js';

/** How a package's tests are run. */
export interface TestRunner {
  /** Where `describe` and `it` come from. */
  readonly module: string;
  readonly script: string;
  readonly devDependencies: readonly (keyof Versions)[];
  /** Further files, by path. */
  readonly files: Readonly<Record<string, string>>;
}

/** The test runners that a package can be begun with. */
export const RUNNERS = {
  node: {
    module: 'node:test',
    script: 'tsc && node --test dist/',
    devDependencies: [],
    files: {},
  },
  vitest: {
    module: 'vitest',
    script: 'vitest run',
    devDependencies: ['vitest'],
    files: {
      'vitest.config.ts': `import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['src/**/*.test.ts'], testTimeout: 60_000 } });
`,
    },
  },
  jest: {
    module: '@jest/globals',
    script: 'tsc && node --experimental-vm-modules --no-warnings node_modules/jest/bin/jest.js',
    devDependencies: ['jest', '@jest/globals'],
    files: {
      'jest.config.mjs': `export default { roots: ['<rootDir>/dist'], testTimeout: 60_000 };
`,
    },
  },
} as const satisfies Readonly<Record<string, TestRunner>>;

/** The name of a test runner, as the command takes it. */
export type RunnerName = keyof typeof RUNNERS;
