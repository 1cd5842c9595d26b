import { type Evasion, parseOptions } from '@gauntlet/core';
import type { BallNorm } from '@gauntlet/tensor';
import { commonChecks } from './attack-checks.js';
import { smallestChecks } from './attack-smallest.js';
import type { AttackSubject } from './attack-subject.js';
import { withinBudgetChecks } from './attack-within-budget.js';
import { type Check, register, type Registration } from './runner.js';

/** What an evasion attack must do, by name: some of it depends on what the attack finds. */
export const attackChecks = ({
  finds,
}: Pick<Evasion, 'finds'>): Readonly<Record<string, Check<AttackSubject>>> => ({
  ...commonChecks,
  ...(finds === 'smallest' ? smallestChecks : withinBudgetChecks),
});

/**
 * Registers every check of `attackChecks` for every norm of an attack.
 *
 * @param settings.options options to test with; the defaults of the schema otherwise.
 * @param settings.norms some of its norms; all otherwise.
 * @param settings.skip checks that do not hold for this attack, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testAttack(
  attack: Evasion,
  settings: Registration & { options?: Record<string, unknown>; norms?: readonly BallNorm[] } = {},
): void {
  const { options = {}, norms = attack.norms } = settings;
  for (const norm of norms) {
    register(`${attack.id} in ${norm}`, attackChecks(attack), settings, async () => ({
      attack,
      norm,
      options: await parseOptions(attack.options, options, attack.id),
    }));
  }
}
