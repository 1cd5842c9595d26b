import type { Row } from '@gauntlet/core';

/** A share in percent; a dash where there is none. */
export const percent = (share: number | null): string =>
  share === null ? '-' : `${(100 * share).toFixed(1)}%`;

/** An interval in percent. */
export const range = ([lo, hi]: readonly [number, number]): string => `${percent(lo)} to ${percent(hi)}`;

/** A number in four digits. */
export const short = (value: number): string => String(Number(value.toPrecision(4)));

/** A count with separators of thousands. */
export const count = (value: number): string => value.toLocaleString('en');

/** A count with its noun. */
export const counted = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** The name of an id without its kind: `attack/pgd` is pgd. */
export const shortName = (id: string): string =>
  id.replace(/^(attack|certifier|dataset|defence|detector)\//, '');

/** The attack of a row, with what it was crafted on where that is not the system under test. */
export const nameOf = ({ attack, surrogate }: Pick<Row, 'attack' | 'surrogate'>): string =>
  surrogate === undefined ? shortName(attack) : `${shortName(attack)} on ${surrogate}`;

/** A class id, for people. */
export const className = (id: number): string => (id < 0 ? 'none' : String(id));
