import type { PluginFacts, Schema } from '@gauntlet/core';
import { ensureFacts, ensureOptions } from './facts.js';

interface Subject {
  readonly defence: PluginFacts & { readonly cites: readonly string[]; readonly options: Schema };
}

/** What every defence must say about itself. */
export const factChecks = {
  async 'says who it is'({ defence }: Subject) {
    ensureFacts(defence, 'defence', 'detector', 'certifier');
  },

  async 'describes its options and has a default for each'({ defence }: Subject) {
    await ensureOptions(defence);
  },
};
