import { type Target, type ThreatModel, unexpected } from '@gauntlet/core';
import type { BallNorm } from '@gauntlet/tensor';

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

/** What `gauntlet audit` was asked to do. */
export interface AuditRequest {
  readonly model: string;
  readonly data: string;
  readonly norm: BallNorm;
  readonly epsilons: readonly Epsilon[];
  /** Null: all that are installed and fit. */
  readonly attacks: readonly string[] | null;
  readonly settings: readonly Setting[];
  readonly limit: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly restarts: number;
  readonly bounds: readonly [lo: number, hi: number];
  readonly input: {
    readonly mean?: readonly number[];
    readonly std?: readonly number[];
    readonly output?: string;
  };
  readonly goal: ThreatModel['goal'];
  readonly out: string | null;
  readonly overwrite: boolean;
  readonly json: boolean;
}

/** The options of `gauntlet audit` as the command line gives them: text. */
export type RawOptions = Readonly<Partial<Record<string, string | boolean | readonly string[]>>>;

/** Reads the options of `gauntlet audit`. @throws GauntletError `input` at the first that is missing or makes no sense. */
export function parseRequest(model: string, raw: RawOptions): AuditRequest {
  const text = (name: string) => raw[name] as string | undefined;
  const optional = <T>(name: string, parse: (text: string, flag: string) => T): T | undefined => {
    const given = text(name);
    return given === undefined
      ? undefined
      : parse(given, `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`);
  };
  const required = (name: string, form: string): string => {
    const given = text(name);
    if (given !== undefined) return given;
    throw unexpected({
      found: `missing --${name}`,
      at: 'the command line',
      expected: `--${name} ${form}`,
      remedy: 'See gauntlet audit --help.',
    });
  };
  const data = required('data', '<path>');
  const epsilon = required('epsilon', '<list>');
  const mean = optional('mean', parseNumbers);
  const std = optional('std', parseDivisors);
  const output = text('output');
  return {
    model,
    data,
    norm: optional('norm', parseNorm) ?? 'linf',
    epsilons: parseEpsilons(epsilon, '--epsilon'),
    attacks: optional('attack', parseNames) ?? null,
    settings: ((raw['set'] ?? []) as readonly string[]).map((one) => parseSetting(one, '--set')),
    limit: optional('limit', atLeast(1)) ?? Infinity,
    batchSize: optional('batchSize', atLeast(1)) ?? 64,
    seed: optional('seed', atLeast(0)) ?? 0,
    restarts: optional('restarts', atLeast(1)) ?? 1,
    bounds: optional('bounds', parseBounds) ?? [0, 1],
    input: { ...(mean && { mean }), ...(std && { std }), ...(output !== undefined && { output }) },
    goal: optional('targeted', parseGoal) ?? { kind: 'untargeted' },
    out: text('out') ?? null,
    overwrite: raw['overwrite'] === true,
    json: raw['json'] === true,
  };
}

const wrong = (found: string, at: string, expected: string, remedy: string) =>
  unexpected({ found: `'${found}'`, at, expected, remedy });

/** A number, or a fraction of two. */
function parseNumber(text: string, flag: string): number {
  const parts = text.split('/');
  const [top, bottom = 1] = parts.map((part) => (part.trim() === '' ? NaN : Number(part)));
  const value = parts.length > 2 ? NaN : top! / bottom;
  if (Number.isFinite(value)) return value;
  throw wrong(text, flag, 'a number or a fraction', 'Pass a value such as 0.03 or 8/255.');
}

const parseNumbers = (text: string, flag: string): readonly number[] =>
  text.split(',').map((one) => parseNumber(one, flag));

function parseDivisors(text: string, flag: string): readonly number[] {
  const values = parseNumbers(text, flag);
  if (values.every((value) => value > 0)) return values;
  throw wrong(text, flag, 'numbers above 0', 'Pass the standard deviation of each channel.');
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

const atLeast =
  (least: number) =>
  (text: string, flag: string): number => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw wrong(
      text,
      flag,
      `a whole number from ${least} upwards`,
      `Pass a value such as ${flag} ${least + 100}.`,
    );
  };

function parseNorm(text: string, flag: string): BallNorm {
  if (text === 'l1' || text === 'l2' || text === 'linf') return text;
  throw wrong(text, flag, 'l1, l2 or linf', 'Pass one of these norms.');
}

function parseBounds(text: string, flag: string): readonly [number, number] {
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
  throw wrong(text, flag, 'names of attacks, separated by commas', 'Pass names such as pgd,fgsm.');
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
function parseSetting(text: string, flag: string): Setting {
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
