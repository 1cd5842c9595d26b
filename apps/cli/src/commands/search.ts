import { type Catalogued, readCatalogue } from '../catalogue.js';
import { findPlugins } from '../discover.js';
import { untilAborted } from '../interrupt.js';
import { renderFacts } from '../plugin-facts.js';
import { HOME } from '../plugins.js';
import { type Registered, searchRegistry } from '../registry.js';
import type { Terminal } from '../terminal.js';
import { wrap } from '../layout.js';

/** Lists what exists, installed or not: the plugins of this version, and with network those of others that npm's registry knows. */
export async function searchPlugins(
  words: readonly string[],
  { json, offline }: { readonly json: boolean; readonly offline: boolean },
  terminal: Terminal,
): Promise<void> {
  const versions = new Map(findPlugins([terminal.cwd, HOME]).map(({ name, version }) => [name, version]));
  const matches = (one: object) => {
    const text = Object.values(one).flat().join(' ').toLowerCase();
    return words.every((word) => text.includes(word.toLowerCase()));
  };
  const catalogue = readCatalogue();
  const own = catalogue.filter(matches);
  const known = new Set(catalogue.map((one) => one.package));
  const others = (offline ? [] : await registered(terminal)).filter(
    (one) => !known.has(one.package) && matches(one),
  );
  const installed = (name: string) => versions.get(name) ?? null;
  if (json) {
    const all = [...own, ...others].map((one) => ({ ...one, installed: installed(one.package) }));
    return terminal.out(`${JSON.stringify(all, null, 2)}\n`);
  }
  const where = (name: string) =>
    installed(name) === null ? `npm install ${name}` : `${name} ${installed(name)} is installed`;
  const blocks = [
    ...own.map((one: Catalogued) => renderFacts(one, where(one.package))),
    ...others.map((one) => renderOther(one, where(one.package))),
  ];
  terminal.out(blocks.length === 0 ? `No plugin is known for ${words.join(' ')}.\n` : blocks.join('\n'));
}

async function registered(terminal: Terminal): Promise<readonly Registered[]> {
  const { found, failure } = await untilAborted(terminal.signal, searchRegistry(terminal));
  if (failure !== null) {
    terminal.err(
      `gauntlet: The npm registry was not searched (npm: ${failure}): plugins of others are not listed.\n`,
    );
  }
  return found;
}

const renderOther = ({ version, summary }: Registered, where: string) =>
  [where, ...wrap(`version ${version}, by others`, '  '), ...wrap(summary, '  '), ''].join('\n');
