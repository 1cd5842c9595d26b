import js from '@eslint/js';
import { createProjectGraphAsync } from '@nx/devkit';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

// The rule about boundaries reads the graph from nx's cache, and says nothing in a fresh clone, which has none.
await createProjectGraphAsync({ exitOnError: true });

const RUNTIMES = ['onnxruntime-*', '@tensorflow/*'];
const CONTAINERS = ['inversify', 'tsyringe', 'reflect-metadata'];

const layers = (testing) => [
  { sourceTag: 'layer:tensor', onlyDependOnLibsWithTags: ['layer:tensor'] },
  { sourceTag: 'layer:onnx', onlyDependOnLibsWithTags: ['layer:onnx', 'layer:tensor', ...testing] },
  { sourceTag: 'layer:core', onlyDependOnLibsWithTags: ['layer:core', 'layer:tensor', ...testing] },
  {
    sourceTag: 'layer:kit',
    onlyDependOnLibsWithTags: ['layer:kit', 'layer:core', 'layer:tensor', ...testing],
  },
  {
    sourceTag: 'layer:testing',
    onlyDependOnLibsWithTags: ['layer:testing', 'layer:kit', 'layer:core', 'layer:tensor'],
  },
  {
    sourceTag: 'layer:adapter',
    onlyDependOnLibsWithTags: ['layer:core', 'layer:kit', 'layer:tensor', 'layer:onnx', ...testing],
  },
  {
    sourceTag: 'layer:plugin',
    onlyDependOnLibsWithTags: ['layer:core', 'layer:kit', 'layer:tensor', ...testing],
  },
  // Examples of plugins: their sources are held to what plugins may import, and their tests read whatever files they like.
  {
    sourceTag: 'layer:example',
    onlyDependOnLibsWithTags: testing.length > 0 ? ['*'] : ['layer:core', 'layer:kit', 'layer:tensor'],
  },
  { sourceTag: 'layer:bridge', onlyDependOnLibsWithTags: ['layer:core', 'layer:tensor', ...testing] },
  { sourceTag: 'layer:app', onlyDependOnLibsWithTags: ['*'] },
  { sourceTag: 'layer:tool', onlyDependOnLibsWithTags: ['*'] },
];

const banned = [
  ...['layer:tensor', 'layer:onnx', 'layer:core', 'layer:kit', 'layer:plugin', 'layer:example'].map(
    (sourceTag) => ({
      sourceTag,
      bannedExternalImports: RUNTIMES,
    }),
  ),
  ...['layer:tensor', 'layer:onnx', 'layer:kit', 'layer:plugin', 'layer:adapter'].map((sourceTag) => ({
    sourceTag,
    bannedExternalImports: CONTAINERS,
  })),
  { sourceTag: 'layer:core', bannedExternalImports: ['tsyringe'] },
];

// Tests of core use the toys of testing, which stands on core. Sources cannot close that circle: the layers above forbid it.
const ignoredCircularDependencies = [
  ['@gauntlet/core', '@gauntlet/testing'],
  ['@gauntlet/kit', '@gauntlet/testing'],
];

const boundaries = (depConstraints, more = {}) => [
  'error',
  { depConstraints, ignoredCircularDependencies, ...more },
];

export default tseslint.config(
  {
    ignores: [
      '**/dist',
      '**/node_modules',
      '**/*_pb.ts',
      '.nx',
      'coverage',
      '**/.venv',
      'fixtures',
      'gauntlet-out',
      'site',
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    plugins: { '@nx': nx },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    files: ['**/src/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries([...layers([]), ...banned], {
        banTransitiveDependencies: true,
      }),
    },
  },
  {
    files: ['**/*.test.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries(layers(['layer:testing', 'layer:onnx', 'layer:adapter'])),
    },
  },
  {
    files: ['**/*.{mjs,cjs,js}'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        module: 'writable',
        require: 'readonly',
        globalThis: 'readonly',
      },
    },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  {
    files: ['apps/report/client/*.js'],
    languageOptions: {
      sourceType: 'script',
      globals: { document: 'readonly', HTMLElement: 'readonly' },
    },
  },
);
