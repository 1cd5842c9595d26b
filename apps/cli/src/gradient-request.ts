import type { GradientFileSettings } from '@gauntlet/core';
import { LOSSES } from '@gauntlet/kit';
import { type InputSettings, optionsOf, parseInput, type RawOptions } from './options.js';
import { atLeast, wrong } from './values.js';

/** What `gauntlet gradient` was asked to do. */
export interface GradientRequest {
  readonly model: string;
  readonly out: string;
  readonly loss: keyof typeof LOSSES;
  readonly wrt: GradientFileSettings['wrt'];
  readonly lowering: NonNullable<GradientFileSettings['lowering']>;
  readonly input: InputSettings & Pick<GradientFileSettings, 'shape' | 'inputs'>;
}

/** Reads the options of `gauntlet gradient`. @throws GauntletError `input` at the first that is missing or makes no sense. */
export function parseGradientRequest(model: string, raw: RawOptions): GradientRequest {
  const { optional, required } = optionsOf(raw, 'gradient');
  const shape = optional('shape', (text, flag) => text.split(',').map((size) => atLeast(1)(size, flag)));
  const inputs = optional('input', (text) => text.split(','));
  const wrt = optional('wrt', oneOf<GradientFileSettings['wrt']>(['input', 'weights'])) ?? 'input';
  if (inputs !== undefined && wrt === 'weights') {
    throw wrong(inputs.join(','), '--input', 'no such option beside --wrt weights', 'Leave out one of them.');
  }
  return {
    model,
    out: required('out', '<file>'),
    loss: optional('loss', oneOf(Object.keys(LOSSES) as (keyof typeof LOSSES)[])) ?? 'cross-entropy',
    wrt,
    lowering: optional('lowering', oneOf(['plain', 'blocked'])) ?? 'plain',
    input: { ...parseInput(raw), ...(shape && { shape }), ...(inputs && { inputs }) },
  };
}

const oneOf =
  <T extends string>(words: readonly T[]) =>
  (text: string, flag: string): T => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw wrong(text, flag, `one of ${words.join(', ')}`, 'Pass one of these.');
  };
