import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Plugin } from '@gauntlet/core';
import { pluginFacts } from './plugin-facts.js';

const ROOT = `${import.meta.dirname}/../../..`;
const SHIPPED = `${import.meta.dirname}/../catalogue.json`;

const folders = ['plugins', 'packages'].flatMap((group) =>
  readdirSync(`${ROOT}/${group}`).map((name) => `${ROOT}/${group}/${name}`),
);

it('holds every plugin of the workspace: UPDATE_CATALOGUE=1 writes it again', async () => {
  const plugins = [];
  for (const folder of folders) {
    const { name, keywords = [] } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as {
      name: string;
      keywords?: string[];
    };
    if (!keywords.includes('gauntlet-plugin')) continue;
    const { default: plugin } = (await import(name)) as { default: Plugin };
    plugins.push({ package: name, ...pluginFacts(plugin) });
  }
  plugins.sort((a, b) => (a.package < b.package ? -1 : 1));
  if (process.env['UPDATE_CATALOGUE']) writeFileSync(SHIPPED, `${JSON.stringify(plugins, null, 2)}\n`);
  expect(JSON.parse(readFileSync(SHIPPED, 'utf8'))).toEqual(plugins);
});
