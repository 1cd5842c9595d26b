import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { asPlugin, type Plugin } from '@gauntlet/core';
import { factTable, optionTable } from '@gauntlet/testing';
import { type KindName, KINDS } from './kinds.js';
import { RUNNERS, type RunnerName } from './runners.js';
import { standalone, workspace } from './scaffold.js';
import { ownVersions } from './versions.js';

const templates = 'apps/create-gauntlet-plugin/templates';
const kinds = Object.keys(KINDS) as KindName[];
const text = (path: string) => readFileSync(path, 'utf8');
const manifest = (path: string) => JSON.parse(text(path)) as Record<string, unknown>;

it('has a template for every kind, and no other', () =>
  expect(readdirSync(templates).sort()).toEqual([...kinds].sort()));

describe.each(kinds)('the template of a %s', (kind) => {
  it('is a plugin whose tables of facts and options are beside it', async () => {
    const { default: value } = (await import(`../templates/${kind}/index.js`)) as { default: unknown };
    const plugin: Plugin = asPlugin(value, kind);
    expect(plugin.id).toBe(`${KINDS[kind].family}/__NAME__`);
    const table = 'options' in plugin ? optionTable(plugin.options) : '';
    const tables = {
      'options.md': table === '' ? '' : `${table}\n`,
      'facts.md': `${await factTable(plugin)}\n`,
    };
    for (const [name, wanted] of Object.entries(tables)) {
      const path = `${templates}/${kind}/${name}`;
      if (process.env['UPDATE_README'] === '1') writeFileSync(path, wanted);
      expect(text(path)).toBe(wanted);
    }
  });
});

it.each(kinds)('the package of a %s depends on what its source imports', (kind) => {
  const imports = [
    ...text(`${templates}/${kind}/index.ts`).matchAll(/from '(?!node:)(?:@gauntlet\/)?(\w+)'/g),
  ];
  const found = new Set(imports.map(([, name]) => name!));
  expect([...found].sort()).toEqual(['core', ...KINDS[kind].needs].sort());
});

describe.each(kinds)('a package for a %s', (kind) => {
  it.each(Object.keys(RUNNERS) as RunnerName[])('tested by %s holds nothing of the template', (runner) => {
    const files = standalone({ kind, name: 'mine', runner, versions: ownVersions() });
    expect(Object.values(files).join('')).not.toContain('__NAME__');
    expect(files['package.json']).not.toContain('undefined');
    expect(files['src/index.ts']).toContain(`${KINDS[kind].family}/mine'`);
    expect(files['src/index.test.ts']).toContain(RUNNERS[runner].module);
  });

  it('has the facts in its README that its test expects', async () => {
    const { default: value } = (await import(`../templates/${kind}/index.js`)) as { default: Plugin };
    const named = Object.entries(value).map(([key, fact]) => [
      key,
      typeof fact === 'string' ? fact.replace('__NAME__', 'a-longer-name') : fact,
    ]);
    const files = standalone({ kind, name: 'a-longer-name', runner: 'node', versions: ownVersions() });
    expect(files['README.md']).toContain(await factTable(Object.fromEntries(named) as Plugin));
  });

  it('of this repository is laid out as the others are', () => {
    const files = workspace({ kind, name: 'mine', versions: ownVersions() }, text('LICENSE'));
    const folder = `plugins/${KINDS[kind].family}-mine`;
    expect(Object.keys(files).sort()).toEqual(
      [
        `.changeset/${KINDS[kind].family}-mine.md`,
        ...['LICENSE', 'README.md', 'package.json', 'src/index.test.ts', 'src/index.ts', 'tsconfig.json'].map(
          (path) => `${folder}/${path}`,
        ),
      ].sort(),
    );
    const keys = (one: object) => Object.keys(one).filter((key) => key !== 'dependencies');
    const like = manifest('plugins/attack-pgd/package.json');
    expect(keys(JSON.parse(files[`${folder}/package.json`]!) as object).sort()).toEqual(keys(like).sort());
  });
});

it('is offered by the generator of this repository in every kind', () => {
  const { properties } = manifest('tools/generators/plugin.schema.json') as {
    properties: { kind: { enum: string[] } };
  };
  expect(properties.kind.enum).toEqual(kinds);
});

it('begins packages with the versions that this repository is tested with', () => {
  const root = manifest('package.json')['devDependencies'] as Record<string, string>;
  const begun: Record<string, string> = { ...ownVersions() };
  for (const name of Object.keys(root)) if (begun[name] !== undefined) expect(begun[name]).toBe(root[name]);
  for (const name of ['core', 'kit', 'tensor', 'testing']) {
    const { version } = manifest(`packages/${name}/package.json`);
    expect(begun[`@gauntlet/${name}`]).toBe(`^${String(version)}`);
  }
});
