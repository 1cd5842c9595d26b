import { isGauntletError, optionFacts, type Plugin } from '@gauntlet/core';
import type { Installed } from '../discover.js';
import { createPlugins } from '../plugins.js';
import type { Terminal } from '../terminal.js';
import { wrap } from '../verdict.js';

/** What `gauntlet plugins --json` prints of each plugin. */
interface PluginFacts {
  readonly id: string;
  readonly package: string;
  readonly version: string;
  readonly kind: string;
  readonly summary: string;
  readonly access?: string;
  readonly norms?: readonly string[];
  readonly options: readonly {
    readonly name: string;
    readonly type: string;
    readonly default: unknown;
    readonly description: string;
  }[];
}

/** Lists the installed plugins, with their options if asked. */
export async function listPlugins(
  { json, options }: { readonly json: boolean; readonly options: boolean },
  terminal: Terminal,
): Promise<void> {
  const plugins = createPlugins(terminal.cwd);
  const facts: PluginFacts[] = [];
  for (const from of plugins.installed) {
    try {
      facts.push(factsOf(await plugins.load(from), from));
    } catch (error) {
      // One broken plugin shall not hide the others.
      if (!isGauntletError(error)) throw error;
      terminal.err(`gauntlet: ${error.message}\n`);
    }
  }
  terminal.out(
    json ? `${JSON.stringify(facts, null, 2)}\n` : facts.map((fact) => render(fact, options)).join('\n'),
  );
}

function factsOf(plugin: Plugin, { name, version }: Installed): PluginFacts {
  const { id, summary } = plugin;
  return {
    id,
    package: name,
    version,
    // As ids, packages and flags call it.
    kind: id.replace(/\/.*/, ''),
    summary,
    ...(plugin.kind === 'evasion' && { access: plugin.access, norms: plugin.norms }),
    options: 'options' in plugin ? optionFacts(plugin.options) : [],
  };
}

function render(fact: PluginFacts, withOptions: boolean): string {
  const needs = fact.access === undefined ? '' : `; needs ${fact.access}; ${fact.norms!.join(', ')}`;
  const name = fact.id.replace(/^.*\//, '');
  const lines = [`${fact.kind}${needs}`, fact.summary];
  const options = fact.options.map(
    (option) =>
      `--set ${name}.${option.name}=${String(option.default ?? option.type.toUpperCase())}  ${option.type}: ${option.description}`,
  );
  return [
    `${fact.id}  ${fact.package} ${fact.version}`,
    ...[...lines, ...(withOptions ? options : [])].flatMap((line) => wrap(line, '  ')),
    '',
  ].join('\n');
}
