export default {
  rootDir: import.meta.dirname,
  testEnvironment: '<rootDir>/packages/testing/jest-environment.cjs',
  testEnvironmentOptions: { customExportConditions: ['@gauntlet/source', 'node', 'node-addons'] },
  testMatch: ['<rootDir>/{packages,plugins,apps,tools}/*/src/**/*.test.ts'],
  modulePathIgnorePatterns: ['/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
      },
    ],
  },
  testTimeout: 60_000,
  maxWorkers: '100%',
  workerIdleMemoryLimit: '1GB',
};
