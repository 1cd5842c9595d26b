import { type Evasion, optionFacts, unexpected } from '@gauntlet/core';
import { nearest } from './discover.js';
import type { Setting } from './request.js';

/** Options as the user gave them. */
export type Options = Readonly<Record<string, unknown>>;

/** Options by plugin id. */
export type Settings = ReadonlyMap<string, Options>;

/** What was set, by plugin. A setting names its plugin by the id or by its last part. */
export function assignSettings(
  settings: readonly Setting[],
  plugins: readonly Pick<Evasion, 'id' | 'options'>[],
): Settings {
  const assigned = new Map<string, Options>();
  const short = (id: string) => id.replace(/^.*\//, '');
  for (const { plugin, option, value } of settings) {
    const owner = plugins.find(({ id }) => id === plugin || short(id) === plugin);
    if (owner === undefined) {
      const names = plugins.map(({ id }) => short(id));
      const meant = nearest(plugin, names);
      throw unexpected({
        found: `plugin '${plugin}'`,
        at: '--set',
        expected: `one that takes part (${names.join(', ')})`,
        remedy: meant === undefined ? 'Name one of these.' : `Did you mean ${meant}?`,
      });
    }
    mustDeclare(owner, plugin, option);
    assigned.set(owner.id, { ...assigned.get(owner.id), [option]: value });
  }
  return assigned;
}

/** Refuses an option that a plugin does not have, where its schema tells. */
function mustDeclare({ id, options }: Pick<Evasion, 'id' | 'options'>, plugin: string, option: string): void {
  const closed = options['~standard'].jsonSchema?.input({ target: 'draft-07' })['additionalProperties'];
  const known = optionFacts(options).map(({ name }) => name);
  if (closed !== false || known.includes(option)) return;
  const meant = nearest(option, known);
  throw unexpected({
    found: `option '${option}' of ${id}`,
    at: '--set',
    expected: known.length === 0 ? 'none, as it has no options' : `one of ${known.join(', ')}`,
    remedy: meant === undefined ? 'See gauntlet plugins --options.' : `Did you mean ${plugin}.${meant}?`,
  });
}
