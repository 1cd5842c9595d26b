import { optionFacts, parseOptions, type PluginFacts, type Schema } from '@gauntlet/core';
import { ensure } from './runner.js';

/** Fails unless every option of a plugin has a default and a description. */
export async function ensureOptions({
  id,
  options,
}: PluginFacts & { readonly options: Schema }): Promise<void> {
  await parseOptions(options, {}, id);
  for (const { name, description } of optionFacts(options)) {
    ensure(
      description !== '',
      `Unexpected option ${name} without a description, expected .describe(...) in the schema.`,
    );
  }
}
