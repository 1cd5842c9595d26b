import type { Optimiser } from '@gauntlet/core';
import type { BallNorm } from '@gauntlet/tensor';
import { type InputSettings, optionsOf, parseInput, type RawOptions } from './options.js';
import { parseBounds, parseNorm, parseSetting, type Setting } from './request.js';
import { atLeast, parseNumber, wrong } from './values.js';

/** What `gauntlet train` was asked to do. */
export interface TrainRequest {
  readonly model: string;
  readonly data: string;
  readonly defence: string;
  readonly norm: BallNorm;
  /** Null: not given. */
  readonly epsilon: number | null;
  /** What crafts and measures; null: what the defence declares. */
  readonly attack: string | null;
  readonly settings: readonly Setting[];
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimiser: Optimiser;
  readonly patience: number;
  /** Null: a tenth of the samples, 500 at most. */
  readonly heldOut: number | null;
  readonly seed: number;
  readonly bounds: readonly [lo: number, hi: number];
  readonly input: InputSettings;
  readonly engine: string | null;
  readonly out: string;
  readonly overwrite: boolean;
}

/** Reads the options of `gauntlet train`. @throws GauntletError `input` at the first that is missing or makes no sense. */
export function parseTrainRequest(model: string, raw: RawOptions): TrainRequest {
  const { text, optional, required } = optionsOf(raw, 'train');
  return {
    model,
    data: required('data', '<path>'),
    defence: required('defence', '<name>'),
    norm: optional('norm', parseNorm) ?? 'linf',
    epsilon: optional('epsilon', above(0)) ?? null,
    attack: text('attack') ?? null,
    settings: ((raw['set'] ?? []) as readonly string[]).map((one) => parseSetting(one, '--set')),
    epochs: optional('epochs', atLeast(1)) ?? 10,
    batchSize: optional('batchSize', atLeast(1)) ?? 100,
    optimiser: parseOptimiser(raw),
    patience: optional('patience', atLeast(1)) ?? Infinity,
    heldOut: optional('heldOut', atLeast(1)) ?? null,
    seed: optional('seed', atLeast(0)) ?? 0,
    bounds: optional('bounds', parseBounds) ?? [0, 1],
    input: parseInput(raw),
    engine: text('engine') ?? null,
    out: required('out', '<file>'),
    overwrite: raw['overwrite'] === true,
  };
}

function parseOptimiser(raw: RawOptions): Optimiser {
  const { text, optional } = optionsOf(raw, 'train');
  const kind = text('optimiser') ?? 'adam';
  const rate = optional('learningRate', above(0)) ?? 1e-3;
  const momentum = optional('momentum', share);
  if (kind === 'sgd') return { kind, rate, momentum: momentum ?? 0.9 };
  if (kind !== 'adam') throw wrong(kind, '--optimiser', 'adam or sgd', 'Pass one of these.');
  if (momentum === undefined) return { kind, rate };
  throw wrong(
    String(momentum),
    '--momentum',
    'none, as adam has its own',
    'Leave it out, or pass --optimiser sgd.',
  );
}

const above =
  (least: number) =>
  (text: string, flag: string): number => {
    const value = parseNumber(text, flag);
    if (value > least) return value;
    throw wrong(text, flag, `a number above ${least}`, 'Pass a value such as 0.1 or 8/255.');
  };

const share = (text: string, flag: string): number => {
  const value = parseNumber(text, flag);
  if (value >= 0 && value < 1) return value;
  throw wrong(text, flag, 'a number from 0 up to 1', 'Pass a value such as 0.9.');
};
