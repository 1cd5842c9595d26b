import { asPlugin, type PluginFacts, type Schema } from '@gauntlet/core';
import { ensureOptions } from './facts.js';
import { ensure } from './runner.js';

interface Subject {
  readonly defence: PluginFacts & { readonly cites: readonly string[]; readonly options: Schema };
}

/** What every defence must say about itself. */
export const factChecks = {
  async 'says who it is'({ defence }: Subject) {
    asPlugin(defence, 'the defence under test');
    const { id, summary, cites } = defence;
    ensure(
      /^(defence|detector|certifier)\/[a-z0-9-]+$/.test(id),
      `Unexpected id ${id}, expected <family>/<name in lower case>.`,
    );
    ensure(summary.endsWith('.'), `Unexpected summary of ${id}, expected one sentence with a full stop.`);
    ensure(cites.length > 0, `Unexpected empty cites of ${id}, expected the source of the algorithm.`);
  },

  async 'describes its options and has a default for each'({ defence }: Subject) {
    await ensureOptions(defence);
  },
};
