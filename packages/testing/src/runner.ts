import { isNativeError } from 'node:util/types';

/** The two functions that every test runner has; by default those of the global scope (jest, vitest with globals, mocha). */
export interface Runner {
  /** Registers a group of checks under a title. */
  describe(name: string, body: () => void): unknown;
  /** Registers one check, which fails by throwing. */
  it(name: string, body: () => Promise<void>): unknown;
}

/** @throws Error when there are none in the global scope. */
export function globalRunner(): Runner {
  const { describe, it } = globalThis as unknown as Partial<Runner>;
  if (describe && it) return { describe, it };
  throw new Error(
    'Unexpected runner without global describe and it, expected both. Pass { describe, it } of your test runner.',
  );
}

/** Looks at one thing that every plugin of a kind must do, and throws a sentence where it does not. */
export type Check<Subject> = (subject: Subject) => Promise<void>;

/** Fails a check with a sentence. */
export function ensure(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(problem);
}

/** How checks are registered: which of them are not, each with the reason, and with which runner. */
export interface Registration {
  readonly skip?: Readonly<Record<string, string>>;
  readonly runner?: Runner;
}

/** Registers checks under a title, each with a subject of its own. */
export function register<Subject>(
  title: string,
  checks: Readonly<Record<string, (subject: Subject) => Promise<void> | void>>,
  { skip = {}, runner = globalRunner() }: Registration,
  subject: () => Subject | Promise<Subject>,
): void {
  runner.describe(title, () => {
    for (const [name, check] of Object.entries(checks)) {
      if (skip[name] !== undefined) continue;
      runner.it(name, async () => {
        const given = await subject();
        try {
          await check(given);
        } catch (error) {
          throw explained(error, name);
        }
      });
    }
  });
}

/** The error itself, with where to read what the check is for: runners print the stack, which begins with the message. */
function explained(error: unknown, name: string): unknown {
  if (!isNativeError(error)) return error;
  const message = `${error.message}\nOn what this was checked, and why: "${name}" in node_modules/@gauntlet/testing/CHECKS.md`;
  error.stack = error.stack?.replace(error.message, () => message) ?? message;
  error.message = message;
  return error;
}
