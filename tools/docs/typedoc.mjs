// What `npm run docs` builds the site from: the guide, every package with its README and its exports, every other page of the repository.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OptionDefaults } from 'typedoc';
import { GROUPS } from './site.mjs';

const root = join(import.meta.dirname, '../..');
const under = (path) => join(root, path);
const packages = ['packages', 'plugins', 'apps']
  .flatMap((parent) => readdirSync(under(parent)).map((name) => under(`${parent}/${name}`)))
  .map((folder) => ({ folder, ...JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }));

export default {
  name: 'Gauntlet',
  readme: under('docs/README.md'),
  projectDocuments: [
    ...['docs/guide/*.md', 'docs/!(README).md', 'docs/decisions/*.md', '*.md'],
    ...['examples/*/README.md', 'fixtures/**/README.md', 'tools/*/README.md'],
  ].map(under),
  entryPoints: packages.flatMap(({ folder, exports }) =>
    Object.values(exports)
      .map((target) => target['@gauntlet/source'])
      .filter((source) => source !== undefined)
      .map((source) => join(folder, source)),
  ),
  tsconfig: under('tsconfig.tests.json'),
  basePath: root,
  plugin: [join(import.meta.dirname, 'site.mjs')],
  out: under('site'),
  customCss: join(import.meta.dirname, 'site.css'),

  // Types are checked by `npm run typecheck`.
  skipErrorChecking: true,
  excludeExternals: true,
  disableSources: true,
  blockTags: [...OptionDefaults.blockTags, '@generated'],
  notRenderedTags: [...OptionDefaults.notRenderedTags, '@generated'],

  router: 'paths',
  sortEntryPoints: false,
  groupOrder: [...GROUPS, '*'],
  navigation: { includeGroups: true },
  includeHierarchySummary: false,
  searchInDocuments: true,
  // A word of the guide is looked for more often than a property of a type.
  searchGroupBoosts: Object.fromEntries(GROUPS.slice(0, -3).map((group) => [group, 5])),
  highlightLanguages: ['bash', 'html', 'javascript', 'json', 'mermaid', 'python', 'typescript', 'yaml'],

  validation: true,
  requiredToBeDocumented: ['Class', 'Function', 'Interface', 'TypeAlias', 'Variable'],
  packagesRequiringDocumentation: packages.map(({ name }) => name),
  treatWarningsAsErrors: true,
};
