import { GauntletError, type Loss } from '@gauntlet/core';
import type { CompiledLoss } from './loss.js';
import type { Feeds, Runtime } from './runtime.js';

/** What a compiled loss reads beside the scores. @throws GauntletError `internal` when the loss lacks values that its term names. */
export function lossFeeds({ Tensor }: Pick<Runtime, 'Tensor'>, compiled: CompiledLoss, loss: Loss): Feeds {
  const feeds: Record<string, Feeds[string]> = {};
  for (const [name, input] of compiled.classes) {
    const classes = named(loss.classes, name);
    feeds[input] = new Tensor('int64', BigInt64Array.from(classes, BigInt), [classes.length]);
  }
  for (const [name, input] of compiled.given) {
    const given = named(loss.given, name);
    feeds[input] = new Tensor('float32', given, [given.length]);
  }
  for (const [name, input] of compiled.targets) {
    const { data, shape } = named(loss.targets ?? {}, name);
    feeds[input] = new Tensor('float32', data, shape);
  }
  return feeds;
}

/** The values that a term names. */
function named<T>(values: Readonly<Record<string, T>>, name: string): T {
  const found = values[name];
  if (found !== undefined) return found;
  const message = `Unexpected loss without values for "${name}", expected one per point. Hand them over with the term.`;
  throw new GauntletError('internal', message);
}
