import { basename } from 'node:path';
import type { Plan } from '@gauntlet/core';
import type { OpenAudit } from './open-audit.js';
import type { Choice } from './portfolio.js';

/** Samples that are looked at together, where the batch size is not known yet. */
const READ = 64;

/** The plan of an audit whose parts are open, with the attacks that were chosen. */
export function planOf(
  { request, stack, settings, surrogates: others, certifiers, main }: OpenAudit,
  choices: readonly Choice[],
): Plan {
  const { name, fingerprint, samples } = stack.attacked;
  const surrogates = others.map(({ name: own, sha256 }) => ({ name: own, sha256 }));
  const uses = (id: string) => ({ use: id, options: settings.get(id) ?? {} });
  return {
    model: { name: basename(request.model), sha256: main.sha256 },
    data: { name, fingerprint, samples: Math.min(request.limit, samples) },
    threatModel: {
      goal: request.goal,
      confidence: 0,
      access: request.access,
      norm: request.norm,
      epsilons: request.epsilons.map(({ value }) => value),
      box: request.bounds,
      ...(surrogates.length > 0 && { surrogates: surrogates.map((one) => one.name) }),
      queries: request.queries,
    },
    ...(stack.planned.length > 0 && { defences: stack.planned }),
    ...(stack.fit && { fit: stack.fit }),
    ...(surrogates.length > 0 && { surrogates }),
    attacks: choices.map(({ attack, on }) => ({ ...uses(attack.id), ...(on !== undefined && { on }) })),
    ...(certifiers.length > 0 && { certifiers: certifiers.map(({ id }) => uses(id)) }),
    restarts: request.restarts,
    batchSize: request.batchSize === 'auto' ? READ : request.batchSize,
    seed: request.seed,
  };
}
