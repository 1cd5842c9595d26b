import { readdirSync } from 'node:fs';
import { commandNamed, optionsOf, packages } from './commands.js';
import { text } from './pages.js';

const pages = readdirSync('docs').filter((name) => /^from-(?!any)/.test(name));

/** What a table of a page says in its second column. */
const namesIn = (page: string) =>
  text(`docs/${page}`)
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .flatMap((line) => [...line.split(/(?<!\\)\|/)[2]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));

it('finds the tables', () => expect(pages).toHaveLength(3));

describe.each(pages)('docs/%s', (page) => {
  const flags = commandNamed('audit').options.map(({ long }) => long);

  it.each([...new Set(namesIn(page))])('says %s, which there is', async (name) => {
    const [, plugin, option] = /^([\w-]+)\.(\w+)(?:=.*)?$/.exec(name) ?? [];
    if (name.startsWith('--')) expect(flags).toContain(name.split(' ')[0]);
    else if (plugin !== undefined) expect(await optionsOf(plugin)).toContain(option);
    else expect([...packages.keys()]).toContain(name);
  });
});
