import { type Certifier, parseOptions } from '@gauntlet/core';
import { defenceFacts } from './facts.js';
import { proofChecks, type ProofSubject } from './proof.js';
import { type Check, register, type Registration } from './runner.js';

/** How a check is run: the certifier and its options. */
export interface CertifierSubject extends ProofSubject {
  readonly defence: Certifier;
}

/** What every certifier must do. Each check throws a sentence when it fails. */
export const certifierChecks: Readonly<Record<string, Check<CertifierSubject>>> = {
  ...defenceFacts,
  ...proofChecks,
};

/**
 * Registers every check of `certifierChecks` for a certifier.
 *
 * @param settings.options options to test with; the defaults of the schema otherwise.
 */
export function testCertifier(
  defence: Certifier,
  settings: Registration & { readonly options?: Record<string, unknown> } = {},
): void {
  const { options = {} } = settings;
  register(`${defence.id} with ${JSON.stringify(options)}`, certifierChecks, settings, async () => ({
    defence,
    options: await parseOptions(defence.options, options, defence.id),
  }));
}
