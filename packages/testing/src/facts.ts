import { asPlugin, optionFacts, parseOptions, type PluginFacts, type Schema } from '@gauntlet/core';
import { ensure } from './runner.js';

/** Fails unless a plugin says who it is: an id of one of these families, one sentence, and a source where its kind has one. */
export function ensureFacts(
  plugin: PluginFacts & { readonly cites?: readonly string[] },
  ...families: readonly string[]
): void {
  const { id, summary, cites } = plugin;
  asPlugin(plugin, 'the plugin under test');
  ensure(
    families.some((family) => new RegExp(`^${family}/[a-z0-9-]+$`).test(id)),
    `Unexpected id ${id}, expected ${families.join(' or ')}/<name in lower case>.`,
  );
  ensure(summary.endsWith('.'), `Unexpected summary of ${id}, expected one sentence with a full stop.`);
  ensure(cites?.length !== 0, `Unexpected empty cites of ${id}, expected the source of the algorithm.`);
}

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

interface Described extends PluginFacts {
  readonly cites?: readonly string[];
  readonly options: Schema;
}

/** What every plugin must say about itself: the one that `of` takes from a subject, whose id is of one of these families. */
const factChecks = <Subject>(of: (subject: Subject) => Described, ...families: readonly string[]) => ({
  async 'says who it is'(subject: Subject) {
    ensureFacts(of(subject), ...families);
  },

  async 'describes its options and has a default for each'(subject: Subject) {
    await ensureOptions(of(subject));
  },
});

/** What every attack must say about itself. */
export const attackFacts = factChecks(({ attack }: { readonly attack: Described }) => attack, 'attack');

/** What every defence must say about itself. */
export const defenceFacts = factChecks(
  ({ defence }: { readonly defence: Described }) => defence,
  ...['defence', 'detector', 'certifier'],
);

/** What every source of data sets must say about itself. */
export const datasetFacts = factChecks(({ source }: { readonly source: Described }) => source, 'dataset');
