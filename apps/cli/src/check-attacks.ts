import { allows, checkOptions, type Attack, isGauntletError, optionFacts, type Schema } from '@gauntlet/core';
import { attack as attackSchema, fieldsOf, type ThreatModel } from './config.js';
import { type Path, pathOf, problem, unknownName, wrongValue } from './config-problems.js';
import type { Plugins } from './plugins.js';

/** What an attack may be run under: the names of all threat models, and those that make sense. */
export interface Threats {
  readonly names: readonly string[];
  readonly sound: ReadonlyMap<string, ThreatModel>;
}

/** What is wrong with the attacks of a configuration: names, options, threat models that they refer to or do not fit. */
export async function badAttacks(
  attacks: Readonly<Record<string, unknown>>,
  threats: Threats,
  plugins: Plugins,
): Promise<string[]> {
  const problems: string[] = [];
  const attacked = new Set<string>();
  const seen = new Map<string, string>();
  for (const [name, given] of Object.entries(attacks)) {
    const path = ['attacks', name];
    const own = attackSchema.safeParse(given).data?.threatModels ?? threats.names;
    for (const threat of own) {
      attacked.add(threat);
      if (threats.names.includes(threat)) continue;
      problems.push(unknownName([...path, 'threatModels'], 'threat model', threat, threats.names));
    }
    const attack = await told(() => plugins.attack(name, pathOf(path)));
    if (typeof attack === 'string') {
      problems.push(attack);
      continue;
    }
    const twin = seen.get(attack.id);
    if (twin !== undefined) {
      problems.push(problem(path, `${attack.id}, which is ${twin} too`, 'each attack once', 'Remove one.'));
    }
    seen.set(attack.id, pathOf(path));
    problems.push(
      ...(await badOptions(attack.options, fieldsOf(given)['options'] ?? {}, [...path, 'options'])),
    );
    for (const [threatName, threat] of threats.sound) {
      if (own.includes(threatName)) problems.push(...misfits(attack, path, threatName, threat));
    }
  }
  if (Object.keys(attacks).length === 0) return [];
  const idle = threats.names.filter((threat) => !attacked.has(threat));
  return [
    ...problems,
    ...idle.map((name) =>
      problem(
        ['threatModels', name],
        'no attack',
        'at least one that belongs to it',
        'Add one under attacks.',
      ),
    ),
  ];
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

/** Why an attack cannot be run under a threat model. */
function misfits({ access, norms }: Attack, path: Path, name: string, threat: ThreatModel): string[] {
  const remedy = `Say with ${pathOf(path)}.threatModels to which threat models it belongs.`;
  const misfit = (found: string, expected: string) =>
    problem(path, `${found} of threatModels.${name}`, expected, remedy);
  return [
    ...(norms.includes(threat.norm) ? [] : [misfit(`norm ${threat.norm}`, norms.join(' or '))]),
    ...(allows(threat.access, access)
      ? []
      : [misfit(`access ${threat.access}`, `${access}, which it needs`)]),
  ];
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
