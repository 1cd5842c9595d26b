import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GauntletError } from '@gauntlet/core';
import { badAttacks, badOptions, told } from './check-attacks.js';
import {
  type CheckedConfig,
  configSchema,
  data as dataSchema,
  fieldsOf,
  NAME,
  threatModel as threatSchema,
  threshold as thresholdSchema,
} from './config.js';
import { type Path, pathOf, problem, problemsOf, unknownName } from './config-problems.js';
import type { FoundConfig } from './load-config.js';
import type { Plugins } from './plugins.js';
import { parseBytes } from './values.js';

/**
 * A configuration with its defaults.
 *
 * @throws GauntletError `input` that names all problems at once, each with its path: those of the schema, files that are missing, attacks and options that
 * are unknown, and names that refer to nothing.
 */
export async function checkConfig(
  { value: raw, folder }: FoundConfig,
  plugins: Plugins,
): Promise<CheckedConfig> {
  const whole = configSchema.safeParse(raw);
  const parts = partsOf(raw);
  const problems = [
    ...(whole.success ? [] : whole.error.issues.flatMap((issue) => problemsOf(issue, raw))),
    ...badNames(parts),
    ...(await missingFiles(parts, folder)),
    ...(await badOptionsOfData(parts, folder, plugins)),
    ...(await badDefences(parts, plugins)),
    ...(await badAttacks(parts.attacks, parts.threats, plugins)),
    ...badThresholds(parts),
    ...(await badMemory(parts.memory)),
  ];
  if (problems.length > 0 || !whole.success) throw new GauntletError('input', problems.join('\n'));
  return whole.data;
}

/** What makes sense of a configuration, whatever is wrong beside it. */
function partsOf(raw: unknown) {
  const { models, data, threatModels, attacks, thresholds, memory } = fieldsOf(raw);
  const threats = Object.entries(fieldsOf(threatModels));
  return {
    models: fieldsOf(models),
    data: dataSchema.safeParse(data).data,
    dataPath: fieldsOf(data)['path'],
    threats: {
      names: threats.map(([name]) => name),
      sound: new Map(
        threats.flatMap(([name, one]) => {
          const found = threatSchema.safeParse(one);
          return found.success ? [[name, found.data] as const] : [];
        }),
      ),
    },
    attacks: fieldsOf(attacks),
    thresholds: (Array.isArray(thresholds) ? thresholds : []).map(
      (one) => thresholdSchema.safeParse(one).data,
    ),
    memory,
  };
}

type Parts = ReturnType<typeof partsOf>;

const badNames = ({ models, threats }: Parts): string[] =>
  Object.entries({ models: Object.keys(models), threatModels: threats.names }).flatMap(([kind, names]) =>
    names
      .filter((name) => !NAME.test(name))
      .map((name) =>
        problem([kind], `name '${name}'`, 'letters, digits, dots, dashes and underscores', 'Rename it.'),
      ),
  );

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

async function missingFiles({ models, dataPath }: Parts, folder: string): Promise<string[]> {
  const files: (readonly [Path, unknown])[] = [
    ...Object.entries(models).map(
      ([name, one]) => [['models', name, 'path'], fieldsOf(one)['path']] as const,
    ),
    [['data', 'path'], dataPath],
  ];
  const problems: string[] = [];
  for (const [path, file] of files) {
    if (typeof file !== 'string' || file === '' || (await isThere(resolve(folder, file)))) continue;
    problems.push(
      problem(path, `missing file '${file}'`, 'one that is there', `It is looked for in ${folder}.`),
    );
  }
  return problems;
}

async function badOptionsOfData({ data }: Parts, folder: string, plugins: Plugins): Promise<string[]> {
  const path = data && resolve(folder, data.path);
  if (path === undefined || !(await isThere(path))) return [];
  const source = await told(() => plugins.dataset(path));
  return typeof source === 'string'
    ? [source]
    : badOptions(source.options, data!.options, ['data', 'options']);
}

async function badDefences({ models }: Parts, plugins: Plugins): Promise<string[]> {
  const problems: string[] = [];
  for (const [model, one] of Object.entries(models)) {
    for (const [name, options] of Object.entries(fieldsOf(fieldsOf(one)['defences']))) {
      const path: Path = ['models', model, 'defences', name];
      const defence = await told(() => plugins.defence(name, pathOf(path)));
      problems.push(
        ...(typeof defence === 'string'
          ? [defence]
          : await badOptions(defence.options, fieldsOf(options), path)),
      );
    }
  }
  return problems;
}

const badThresholds = ({ thresholds, models, threats }: Parts): string[] =>
  thresholds.flatMap((threshold, i) => {
    const { model, threatModel, epsilon } = threshold ?? {};
    const path = (key: string): Path => ['thresholds', i, key];
    const concerned = threats.names.filter((name) => (threatModel ?? name) === name);
    const known = concerned.flatMap((name) => threats.sound.get(name)?.epsilons ?? []);
    // One that makes no sense itself may have meant this radius.
    const sure = concerned.every((name) => threats.sound.has(name));
    const problems: string[] = [];
    if (model !== undefined && !(model in models)) {
      problems.push(unknownName(path('model'), 'model', model, Object.keys(models)));
    }
    if (threatModel !== undefined && !threats.names.includes(threatModel)) {
      problems.push(unknownName(path('threatModel'), 'threat model', threatModel, threats.names));
    } else if (sure && epsilon !== undefined && !known.some(({ value }) => value === epsilon.value)) {
      const radii = known.map(({ text }) => text);
      problems.push(unknownName(path('epsilon'), 'epsilon', epsilon.text, radii));
    }
    return problems;
  });

async function badMemory(memory: unknown): Promise<string[]> {
  if (typeof memory !== 'string') return [];
  const found = await told(async () => ({ bytes: parseBytes(memory, 'memory') }));
  return typeof found === 'string' ? [found] : [];
}
