import { ownProver, parseOptions, type Prover, proverOf } from '@gauntlet/core';
import { each } from './each.js';
import type { OpenAudit } from './open-audit.js';

/** The certifiers that were named, and the wrapper that proves things about its own answers in the norm of the audit. */
export async function proversOf(
  { stack: { models, layers }, certifiers, settings, request }: OpenAudit,
  onNotice: (notice: string) => void,
): Promise<readonly Prover[]> {
  const named = await each(certifiers, async (certifier) =>
    proverOf(
      certifier,
      await parseOptions(certifier.options, settings.get(certifier.id) ?? {}, certifier.id),
    ),
  );
  const own = ownProver(models, layers);
  if (own === null) return named;
  if (own.norms.includes(request.norm)) return [own, ...named];
  onNotice(`${own.id} certifies in ${own.norms.join(', ')} only: nothing is certified in ${request.norm}.`);
  return named;
}
