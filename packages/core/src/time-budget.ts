import { count, duration } from './words.js';

/** How much of a plan is run. */
export interface Extent {
  readonly samples: number;
  readonly restarts: number;
}

/** A time that a plan was fitted into, maybe together with others: the most that any of them keeps, and what this one was before. */
export interface TimeBudget {
  readonly seconds: number;
  readonly kept: Extent;
  readonly whole: Extent;
}

/** What a budget of time cut, in words; null where it cut nothing. */
export function describeTimeBudget({ seconds, kept, whole }: TimeBudget): string | null {
  const cut = (['samples', 'restarts'] as const).filter((what) => kept[what] < whole[what]);
  if (cut.length === 0) return null;
  const parts = cut.map((what) => `${count(kept[what])} of ${count(whole[what])} ${what}`);
  return `Cut to fit into ${duration(seconds)}: ${parts.join(' and ')}. Attacks keep all their options.`;
}
