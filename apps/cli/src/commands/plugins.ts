import { isGauntletError, type OptionFact, type Plugin } from '@gauntlet/core';
import type { Installed } from '../discover.js';
import { optionsOf, pluginFacts, type PluginFacts, renderFacts } from '../plugin-facts.js';
import { createPlugins } from '../plugins.js';
import type { Terminal } from '../terminal.js';

/** What `gauntlet plugins --json` prints of each plugin. */
interface Listed extends PluginFacts {
  readonly package: string;
  readonly version: string;
  readonly options: readonly OptionFact[];
}

/** Lists the installed plugins, with their options if asked. */
export async function listPlugins(
  { json, options }: { readonly json: boolean; readonly options: boolean },
  terminal: Terminal,
): Promise<void> {
  const plugins = createPlugins(terminal.cwd);
  const all: Listed[] = [];
  for (const from of plugins.installed) {
    try {
      all.push(listed(await plugins.load(from), from));
    } catch (error) {
      // One broken plugin shall not hide the others.
      if (!isGauntletError(error)) throw error;
      terminal.err(`gauntlet: ${error.message}\n`);
    }
  }
  terminal.out(
    json ? `${JSON.stringify(all, null, 2)}\n` : all.map((one) => render(one, options)).join('\n'),
  );
}

const listed = (plugin: Plugin, { name, version }: Installed): Listed => ({
  ...pluginFacts(plugin),
  package: name,
  version,
  options: optionsOf(plugin),
});

function render(one: Listed, withOptions: boolean): string {
  const name = one.id.replace(/^.*\//, '');
  const options = one.options.map(
    ({ name: option, type, range, default: value, description }) =>
      `--set ${name}.${option}=${String(value ?? type.toUpperCase())}  ${type}${range === null ? '' : ` ${range}`}: ${description}`,
  );
  return renderFacts(one, `${one.package} ${one.version}`, withOptions ? options : []);
}
