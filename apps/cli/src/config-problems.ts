import { counted, unexpected } from '@gauntlet/core';
import { z } from 'zod';
import { configSchema } from './config.js';
import { nearest } from './discover.js';

/** A place in a configuration. */
export type Path = readonly PropertyKey[];

/** A place for people: `attacks.pgd.options`, `thresholds[0].measure`. */
export const pathOf = (path: Path): string =>
  path.reduce<string>(
    (text, part) =>
      text + (typeof part === 'number' ? `[${part}]` : `${text === '' ? '' : '.'}${String(part)}`),
    '',
  ) || 'the configuration';

/** A sentence about a place in a configuration. */
export const problem = (path: Path, found: string, expected: string, remedy = 'Mend it.'): string =>
  unexpected({ found, at: pathOf(path), expected, remedy }).message;

/** A sentence about a name that is none of those that are known. */
export function unknownName(path: Path, what: string, name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  const expected = known.length === 0 ? 'none' : `one of ${known.join(', ')}`;
  const remedy = meant === undefined ? 'Remove it, or name another.' : `Did you mean ${meant}?`;
  return problem(path, `${what} '${name}'`, expected, remedy);
}

/** A sentence about a value that makes no sense. */
export const wrongValue = (path: Path, value: unknown, expected: string): string =>
  problem(path, foundOf(value), expected, value === undefined ? 'Add it.' : 'Mend it.');

const LONGEST = 60;

function foundOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return value.length > LONGEST ? 'long text' : `'${value}'`;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (!Array.isArray(value)) return typeof value;
  return value.length === 0 ? 'empty list' : 'list';
}

type Issue = z.core.$ZodIssue;

/** What zod objects to in a configuration, in sentences: each with its path, what was found, what was expected, and the nearest valid name. */
export function problemsOf(issue: Issue, raw: unknown): readonly string[] {
  const value = valueAt(raw, issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path, raw);
    return issue.keys.map((name) => unknownName(issue.path, 'key', name, known));
  }
  const names = namesIn(issue);
  if (typeof value === 'string' && names.length > 0) {
    return [unknownName(issue.path, 'value', value, names)];
  }
  return [wrongValue(issue.path, value, expectedOf(issue, names))];
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
};

function expectedOf(issue: Issue, names: readonly string[]): string {
  if (issue.code === 'invalid_union' && !('options' in issue)) return issue.message;
  if (names.length > 0) return `one of ${names.join(', ')}`;
  if (issue.code === 'invalid_type') return TYPES[issue.expected] ?? issue.expected;
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    const [word, limit] =
      issue.code === 'too_small' ? ['at least', issue.minimum] : ['at most', issue.maximum];
    if (issue.origin === 'array') return `a list of ${word} ${counted(Number(limit), 'value')}`;
    return issue.origin === 'string' ? `text of ${word} ${limit} characters` : `a number of ${word} ${limit}`;
  }
  return issue.message;
}

/** The words that could stand where an issue is. */
function namesIn(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code !== 'invalid_union') return [];
  const options = 'options' in issue ? (issue.options as readonly unknown[]).map(String) : [];
  return [...options, ...issue.errors.flat().flatMap(namesIn)];
}

const valueAt = (raw: unknown, path: Path): unknown =>
  path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part], raw);

type JsonSchema = z.core.JSONSchema.BaseSchema;

const schema = z.toJSONSchema(configSchema, { target: 'draft-07', io: 'input' });

/** The keys that an object at a path may have. */
function keysAt(at: JsonSchema, [part, ...rest]: Path, value: unknown): string[] {
  const fits = (branch: JsonSchema) =>
    Object.entries(branch.properties ?? {}).every(([key, own]) => {
      const constant = (own as JsonSchema).const;
      return constant === undefined || constant === valueAt(value, [key]);
    });
  const branches = [at, ...[at.anyOf, at.oneOf].flatMap((all) => (all ?? []) as JsonSchema[])].filter(fits);
  const keys = branches.flatMap(({ properties, additionalProperties, items }) => {
    if (part === undefined) return Object.keys(properties ?? {});
    const next = properties?.[String(part)] ?? additionalProperties ?? items;
    return typeof next === 'object' ? keysAt(next as JsonSchema, rest, valueAt(value, [part])) : [];
  });
  return [...new Set(keys)].filter((key) => !key.startsWith('$'));
}
