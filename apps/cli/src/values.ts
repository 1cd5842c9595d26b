import { unexpected } from '@gauntlet/core';

/** A value of an option that makes no sense. */
export const wrong = (found: string, at: string, expected: string, remedy: string) =>
  unexpected({ found: `'${found}'`, at, expected, remedy });

/** A number, or a fraction of two. */
export function parseNumber(text: string, flag: string): number {
  const parts = text.split('/');
  const [top, bottom = 1] = parts.map((part) => (part.trim() === '' ? NaN : Number(part)));
  const value = parts.length > 2 ? NaN : top! / bottom;
  if (Number.isFinite(value)) return value;
  throw wrong(text, flag, 'a number or a fraction', 'Pass a value such as 0.03 or 8/255.');
}

/** Numbers or fractions, separated by commas. */
export const parseNumbers = (text: string, flag: string): readonly number[] =>
  text.split(',').map((one) => parseNumber(one, flag));

/** Numbers above 0. */
export function parseDivisors(text: string, flag: string): readonly number[] {
  const values = parseNumbers(text, flag);
  if (values.every((value) => value > 0)) return values;
  throw wrong(text, flag, 'numbers above 0', 'Pass the standard deviation of each channel.');
}

/** Whether something is a whole number from 1 upwards. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1;

/** A whole number from `least` upwards. */
export const atLeast =
  (least: number) =>
  (text: string, flag: string): number => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw wrong(
      text,
      flag,
      `a whole number from ${least} upwards`,
      `Pass a value such as ${flag} ${Math.max(least, 100)}.`,
    );
  };

const UNITS = ['', 'k', 'm', 'g', 't'];

/** A number of bytes: `2GB` is two thousand million, `2GiB` is 2 * 2^30. */
export function parseBytes(text: string, flag: string): number {
  const [, number, unit = '', binary] = /^(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(
    Number(number) * (binary === '' ? 1000 : 1024) ** UNITS.indexOf(unit.toLowerCase()),
  );
  if (bytes >= 1) return bytes;
  throw wrong(text, flag, 'a size in bytes, KB, MB or GB', 'Pass a size such as 2GB.');
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** A time in seconds: `90s`, `10m`, `1.5h`. */
export function parseDuration(text: string, flag: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([smh])$/.exec(text.trim()) ?? [];
  const seconds = Number(number) * (SECONDS[unit ?? ''] ?? NaN);
  if (seconds > 0) return seconds;
  throw wrong(text, flag, 'a time in s, m or h', 'Pass a time such as 10m.');
}
