import type { Loss } from '@gauntlet/core';
import type { CompiledLoss } from './loss.js';
import type { Feeds, Runtime } from './runtime.js';

/** What a compiled loss reads beside the scores. */
export function lossFeeds({ Tensor }: Pick<Runtime, 'Tensor'>, compiled: CompiledLoss, loss: Loss): Feeds {
  const feeds: Record<string, Feeds[string]> = {};
  for (const [name, input] of compiled.classes) {
    const classes = loss.classes[name]!;
    feeds[input] = new Tensor('int64', BigInt64Array.from(classes, BigInt), [classes.length]);
  }
  for (const [name, input] of compiled.given) {
    const given = loss.given[name]!;
    feeds[input] = new Tensor('float32', given, [given.length]);
  }
  for (const [name, input] of compiled.targets) {
    const { data, shape } = loss.targets![name]!;
    feeds[input] = new Tensor('float32', data, shape);
  }
  return feeds;
}
