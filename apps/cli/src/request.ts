import { type Access, type Target, type ThreatModel, unexpected } from '@gauntlet/core';
import type { BallNorm } from '@gauntlet/tensor';
import { atLeast, parseBytes, parseDuration, parseNumber, parseNumbers, wrong } from './values.js';
import { flagOf, type InputSettings, optionsOf, parseInput, type RawOptions } from './options.js';

/** A radius of the ball, and how the user wrote it. */
export interface Epsilon {
  readonly text: string;
  readonly value: number;
}

/** One `--set plugin.option=value`. */
export interface Setting {
  readonly plugin: string;
  readonly option: string;
  readonly value: unknown;
}

/** What stands before the model. */
export interface StackRequest {
  /** Defences and detectors: the first sees inputs first. */
  readonly defences: readonly string[];
  /** Files of the other models of a defence that takes several. */
  readonly members: readonly string[];
  /** Where samples for detectors and universal attacks come from; null: from those that are audited. */
  readonly fitData: string | null;
  /** How many of the audited samples are set apart for that; null: a fifth, 500 at most. */
  readonly heldOut: number | null;
  /** The share of clean samples that each detector may turn away. */
  readonly falseRejections: number;
}

/** What `gauntlet audit` was asked to do. */
export interface AuditRequest {
  readonly model: string;
  readonly data: string;
  readonly norm: BallNorm;
  readonly epsilons: readonly Epsilon[];
  /** Null: those installed that fit, but for slow and universal ones. */
  readonly attacks: readonly string[] | null;
  /** Folded over the rows, besides robust accuracy. */
  readonly metrics: readonly string[];
  /** What proves things about the system under test. */
  readonly certifiers: readonly string[];
  readonly settings: readonly Setting[];
  readonly stack: StackRequest;
  /** Whether named attacks are also crafted on the model without its defences. */
  readonly static: boolean;
  /** Files of other models to craft on. */
  readonly surrogates: readonly string[];
  /** The most that attacks may ask the model for. */
  readonly access: Access;
  readonly limit: number;
  readonly batchSize: number | 'auto';
  /** Bytes that one call of the model may take. */
  readonly memory: number;
  readonly seed: number;
  readonly restarts: number;
  readonly queries: number | null;
  readonly bounds: readonly [lo: number, hi: number];
  readonly input: InputSettings;
  /** What shall run the model; null: whatever can. */
  readonly engine: string | null;
  readonly goal: ThreatModel['goal'];
  /** Seconds that the attacks shall take at most: the plan is cut to fit. */
  readonly budget: number | null;
  readonly out: string | null;
  readonly overwrite: boolean;
  readonly json: boolean;
}

/** The share of clean samples that a detector may turn away, where nobody says. */
export const FALSE_REJECTIONS = 0.05;

/** Reads the options of `gauntlet audit`. @throws GauntletError `input` at the first that is missing or makes no sense. */
export function parseRequest(model: string, raw: RawOptions): AuditRequest {
  const { text, optional, required } = optionsOf(raw, 'audit');
  const data = required('data', '<path>');
  const epsilon = required('epsilon', '<list>');
  const surrogates = optional('surrogate', parseNames) ?? [];
  return {
    model,
    data,
    norm: optional('norm', parseNorm) ?? 'linf',
    epsilons: parseEpsilons(epsilon, '--epsilon'),
    attacks: optional('attack', parseNames) ?? null,
    metrics: optional('metric', parseNames) ?? [],
    certifiers: optional('certifier', parseNames) ?? [],
    settings: ((raw['set'] ?? []) as readonly string[]).map((one) => parseSetting(one, '--set')),
    stack: parseStack(raw),
    static: raw['static'] === true,
    surrogates,
    access: optional('access', parseAccess) ?? (surrogates.length === 0 ? 'gradients' : 'none'),
    limit: optional('limit', atLeast(1)) ?? Infinity,
    batchSize: optional('batchSize', parseBatchSize) ?? 'auto',
    memory: optional('memory', parseBytes) ?? 2e9,
    seed: optional('seed', atLeast(0)) ?? 0,
    restarts: optional('restarts', atLeast(1)) ?? 1,
    queries: optional('queries', atLeast(1)) ?? null,
    bounds: optional('bounds', parseBounds) ?? [0, 1],
    input: parseInput(raw),
    engine: text('engine') ?? null,
    goal: optional('targeted', parseGoal) ?? { kind: 'untargeted' },
    budget: optional('budget', parseDuration) ?? null,
    out: text('out') ?? null,
    overwrite: raw['overwrite'] === true,
    json: raw['json'] === true,
  };
}

function parseStack(raw: RawOptions): StackRequest {
  const { text, optional } = optionsOf(raw, 'audit');
  const defences = optional('defence', parseNames) ?? [];
  const lone = ['members', 'static', 'falseRejections'].find((name) => name in raw);
  if (defences.length === 0 && lone !== undefined) {
    throw unexpected({
      found: `${flagOf(lone)} without --defence`,
      at: 'the command line',
      expected: 'a defence beside it',
      remedy: 'Name defences with --defence, or leave it out.',
    });
  }
  return {
    defences,
    members: optional('members', parseNames) ?? [],
    fitData: text('fitData') ?? null,
    heldOut: optional('heldOut', atLeast(1)) ?? null,
    falseRejections: optional('falseRejections', parseShare) ?? FALSE_REJECTIONS,
  };
}

function parseAccess(text: string, flag: string): Access {
  const all: readonly Access[] = ['gradients', 'scores', 'labels', 'none'];
  const found = all.find((access) => access === text);
  if (found !== undefined) return found;
  throw wrong(text, flag, all.join(', '), 'Pass the most that attacks may ask the model for.');
}

function parseShare(text: string, flag: string): number {
  const value = parseNumber(text, flag);
  if (value >= 0 && value < 1) return value;
  throw wrong(text, flag, 'a share from 0 up to, but without, 1', `Pass a value such as ${flag} 0.05.`);
}

/** Ascending, each once. */
function parseEpsilons(text: string, flag: string): readonly Epsilon[] {
  const all = text.split(',').map((one) => {
    const value = parseNumber(one, flag);
    if (value < 0) throw wrong(one, flag, 'a number from 0 upwards', 'Pass a radius such as 8/255.');
    return { text: one.trim(), value };
  });
  const distinct = all.filter(({ value }, i) => all.findIndex((other) => other.value === value) === i);
  return distinct.sort((a, b) => a.value - b.value);
}

function parseBatchSize(text: string, flag: string): number | 'auto' {
  if (text === 'auto') return text;
  if (/^ *[1-9]\d*$/.test(text)) return atLeast(1)(text, flag);
  throw wrong(text, flag, 'a whole number from 1 upwards, or auto', `Pass a value such as ${flag} 64.`);
}

/** One of the norms. */
export function parseNorm(text: string, flag: string): BallNorm {
  if (text === 'l0' || text === 'l1' || text === 'l2' || text === 'linf') return text;
  throw wrong(text, flag, 'linf, l2, l1 or l0', 'Pass one of these norms.');
}

/** The smallest and the largest value of an input. */
export function parseBounds(text: string, flag: string): readonly [number, number] {
  const [lo, hi, ...rest] = parseNumbers(text, flag);
  if (lo !== undefined && hi !== undefined && lo < hi && rest.length === 0) return [lo, hi];
  throw wrong(
    text,
    flag,
    'the smallest and the largest value, in this order',
    'Pass bounds such as 0,1 or 0,255.',
  );
}

function parseNames(text: string, flag: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => name !== '')) return [...new Set(names)];
  throw wrong(text, flag, 'names, separated by commas', 'Pass names such as pgd,fgsm.');
}

function parseGoal(text: string, flag: string): ThreatModel['goal'] {
  const words: readonly Target[] = ['next', 'random', 'least-likely'];
  const target = words.find((word) => word === text) ?? (/^\d+$/.test(text) ? Number(text) : undefined);
  if (target !== undefined) return { kind: 'targeted', target };
  throw wrong(
    text,
    flag,
    `a class id, or one of ${words.join(', ')}`,
    'Pass the class that attacks shall reach.',
  );
}

/** `plugin.option=value`; the value is JSON where it can be read as such, text otherwise. */
export function parseSetting(text: string, flag: string): Setting {
  const match = /^(.+)\.([^.=]+)=(.*)$/s.exec(text);
  if (match === null) {
    throw wrong(text, flag, 'PLUGIN.OPTION=VALUE', 'Pass a setting such as --set pgd.steps=100.');
  }
  const [, plugin, option, value] = match as unknown as [string, string, string, string];
  return { plugin, option, value: jsonOr(value) };
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
