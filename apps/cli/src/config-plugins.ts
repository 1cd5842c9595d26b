import { checkOptions, isGauntletError, optionFacts, type Schema } from '@gauntlet/core';
import { fieldsOf } from './config.js';
import { type Path, pathOf, unknownName, wrongValue } from './config-problems.js';

/** A plugin that a configuration names. */
export interface Named<P> {
  readonly path: Path;
  /** What the configuration says of it, unchecked. */
  readonly given: unknown;
  /** What is wrong with the name, where it is none of such a plugin. */
  readonly plugin: P | string;
}

/** The plugins of a record by name, at a path. */
export async function pluginsOf<P extends object>(
  record: unknown,
  at: Path,
  load: (name: string, at: string) => Promise<P>,
): Promise<readonly Named<P>[]> {
  const all: Named<P>[] = [];
  for (const [name, given] of Object.entries(fieldsOf(record))) {
    const path = [...at, name];
    all.push({ path, given, plugin: await told(() => load(name, pathOf(path))) });
  }
  return all;
}

/** What a call gives, or what it says about bad input. */
export async function told<T extends object>(call: () => Promise<T>): Promise<T | string> {
  try {
    return await call();
  } catch (error) {
    if (isGauntletError(error) && error.code === 'input') return error.message;
    throw error;
  }
}

/** What is wrong with plugins whose options are all that is said of them. */
export async function badNamed(
  named: readonly Named<{ readonly options: Schema }>[],
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { plugin, given, path } of named) {
    problems.push(
      ...(typeof plugin === 'string' ? [plugin] : await badOptions(plugin.options, fieldsOf(given), path)),
    );
  }
  return problems;
}

/** Options that a schema does not know, with the nearest that it does, and those whose value it refuses. */
export async function badOptions(schema: Schema, given: unknown, path: Path): Promise<string[]> {
  const { problems } = await checkOptions(schema, given);
  const known = optionFacts(schema).map(({ name }) => name);
  const closed =
    schema['~standard'].jsonSchema?.input({ target: 'draft-07' })['additionalProperties'] === false;
  const unknown = closed ? Object.keys(fieldsOf(given)).filter((name) => !known.includes(name)) : [];
  return [
    ...unknown.map((name) => unknownName(path, 'option', name, known)),
    ...problems
      // Those that are unknown were named already.
      .filter((one) => one.path !== '' || unknown.length === 0)
      .map((one) => {
        const parts = one.path === '' ? [] : one.path.split('.');
        const value = parts.reduce<unknown>((at, part) => fieldsOf(at)[part], given);
        const expected = one.words.replace(/^expected /, '').replace(/, received .*$/, '');
        return wrongValue([...path, ...parts], value, expected);
      }),
  ];
}
