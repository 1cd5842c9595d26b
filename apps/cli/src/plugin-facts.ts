import { type Access, optionFacts, type OptionFact, type Plugin } from '@gauntlet/core';
import { wrap } from './layout.js';

/** What lists say of a plugin. */
export interface PluginFacts {
  readonly id: string;
  /** As ids, packages and flags call it: `attack`, `defence`. */
  readonly kind: string;
  /** How a defence works: `training`, `preprocessor` or `wrapper`. */
  readonly form?: string;
  /** What it asks of a model. */
  readonly access?: Access;
  /** The norms that it knows. */
  readonly norms?: readonly string[];
  readonly summary: string;
}

/** What a plugin says of itself. */
export function pluginFacts(plugin: Plugin): PluginFacts {
  const kind = plugin.id.replace(/\/.*/, '');
  const norms =
    'norms' in plugin ? plugin.norms : plugin.kind === 'certifier' ? plugin.certificate.norms : [];
  return {
    id: plugin.id,
    kind,
    ...(kind === 'defence' && { form: plugin.kind }),
    ...('access' in plugin && { access: plugin.access }),
    ...(norms.length > 0 && { norms }),
    summary: plugin.summary,
  };
}

/** The options of a plugin, where it has some. */
export const optionsOf = (plugin: Plugin): readonly OptionFact[] =>
  'options' in plugin ? optionFacts(plugin.options) : [];

/** Facts for people; `from` says where it is, `more` follows. */
export function renderFacts(facts: PluginFacts, from: string, more: readonly string[] = []): string {
  const { id, kind, form, access, norms, summary } = facts;
  const needs = [
    form === undefined ? kind : `${kind} (${form})`,
    ...(access === undefined ? [] : [`needs ${access}`]),
    ...(norms === undefined ? [] : [norms.join(', ')]),
  ].join('; ');
  return [`${id}  ${from}`, ...[needs, summary, ...more].flatMap((line) => wrap(line, '  ')), ''].join('\n');
}
