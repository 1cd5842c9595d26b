/** A share in percent; a dash where there is none. */
export const percent = (share: number | null): string =>
  share === null ? '-' : `${(100 * share).toFixed(1)}%`;

/** An interval of shares in percent. */
export const range = ([lo, hi]: readonly number[], to = 'to'): string =>
  `${percent(lo!)} ${to} ${percent(hi!)}`;

/** A number in so many digits, without needless zeros. */
export const short = (value: number, digits = 4): string => String(Number(value.toPrecision(digits)));

/** A radius in six digits; in 255ths where these are exact and the digits are not, as of 8/255. */
export const radius = (epsilon: number): string => {
  const parts = Math.round(255 * epsilon);
  const digits = short(epsilon, 6);
  return Number(digits) !== epsilon && parts / 255 === epsilon ? `${parts}/255` : digits;
};

/** A count with separators of thousands. */
export const count = (value: number): string => value.toLocaleString('en');

/** A count with its noun. */
export const counted = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** Seconds, for people. */
export function duration(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** The name of an id without its kind: `attack/pgd` is pgd. */
export const shortName = (id: string): string => id.replace(/^[a-z-]+\//, '');
