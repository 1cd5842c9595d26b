import { GauntletError, isGauntletError } from '@gauntlet/core';

/** The longest sentence about a file: names in it may be of any length. */
const LONGEST = 1000;

/** Text that holds names from a file, fit for a terminal: without control characters, which could steer it, and not endless. */
export function legible(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, '?');
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST)}...` : clean;
}

/** What a promise gives; its errors are made legible. */
export async function legibly<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (!isGauntletError(error) || legible(error.message) === error.message) throw error;
    throw new GauntletError(error.code, legible(error.message), { cause: error.cause });
  }
}
