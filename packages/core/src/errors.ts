/**
 * What kind of failure it is, for programs: `input` is something that the user can mend (exit code 2), `unsupported` something
 * that the model or a plugin cannot do (2 as well), `interrupted` an abort by the user (130), `internal` a defect in the plugin
 * or in Gauntlet (70).
 */
export type ErrorCode = 'input' | 'unsupported' | 'interrupted' | 'internal';

const BRAND = Symbol.for('@gauntlet/core/error');

/** Every failure that Gauntlet foresees: one sentence or two that name what is wrong, where, and what to do. */
export class GauntletError extends Error {
  readonly code: ErrorCode;
  readonly [BRAND] = true;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GauntletError';
    this.code = code;
  }
}

/** Whether `error` is a `GauntletError`, of whichever installed copy of this package. */
export const isGauntletError = (error: unknown): error is GauntletError =>
  typeof error === 'object' && error !== null && BRAND in error;

/** The house form of a message about bad input: `Unexpected X at <path>, expected Y. Do Z.` */
export function unexpected(
  problem: { found: string; at: string; expected: string; remedy: string; code?: ErrorCode },
  options?: ErrorOptions,
): GauntletError {
  const { found, at, expected, remedy, code = 'input' } = problem;
  return new GauntletError(code, `Unexpected ${found} at ${at}, expected ${expected}. ${remedy}`, options);
}
