import { duration } from '@gauntlet/core';

/** Tells how far a run has come. */
export interface Progress {
  /** One more part is done. */
  advance(): void;
  /** Clears what should not stay on the screen. */
  end(): void;
}

const BAR = 30;
const PLAIN_EVERY = 10;

/**
 * A bar that is redrawn in place on a terminal; a line now and then elsewhere.
 *
 * @param already parts that an earlier run finished: they say nothing about the pace of this one.
 */
export function showProgress(
  total: number,
  already: number,
  to: { write(text: string): void; readonly terminal: boolean; now(): number },
): Progress {
  const start = to.now();
  let [done, told] = [already, start];
  const left = () => duration(((to.now() - start) / Math.max(1, done - already)) * (total - done));
  return {
    advance() {
      done++;
      const percent = `${Math.floor((100 * done) / total)}%`;
      if (to.terminal) {
        const full = Math.round((BAR * done) / total);
        to.write(`\r\x1b[K${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${percent}, about ${left()} left`);
      } else if (to.now() - told >= PLAIN_EVERY) {
        told = to.now();
        to.write(`gauntlet: ${percent}, ${done} of ${total} parts done, about ${left()} left\n`);
      }
    },
    end() {
      if (to.terminal) to.write('\r\x1b[K');
    },
  };
}
