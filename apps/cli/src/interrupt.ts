import { GauntletError } from '@gauntlet/core';

/** What the user is told who has had enough. */
export const interrupted = (rest: string, cause?: unknown): GauntletError =>
  new GauntletError('interrupted', `Interrupted: ${rest}`, { cause });

/** What `work` gives, unless the user has had enough before: for work that writes nothing and may be left alone. */
export async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([aborted, work]);
  } catch (error) {
    throw signal.aborted ? interrupted('nothing was written.', error) : error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
