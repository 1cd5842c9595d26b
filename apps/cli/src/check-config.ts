import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GauntletError } from '@gauntlet/core';
import { badDefences, badFit, type Defended, mayProve } from './check-defences.js';
import { badAttacks, badCertifiers } from './check-uses.js';
import {
  type CheckedConfig,
  configSchema,
  data as dataSchema,
  fieldsOf,
  NAME,
  threatModel as threatSchema,
  threshold as thresholdSchema,
} from './config.js';
import { badNamed, badOptions, pluginsOf, told } from './config-plugins.js';
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
  const named = await namedIn(parts, plugins);
  const problems = [
    ...(whole.success ? [] : whole.error.issues.flatMap((issue) => problemsOf(issue, raw))),
    ...badNames(parts),
    ...(await missingFiles(parts, folder)),
    ...(await badOptionsOfData(parts, folder, plugins)),
    ...(await badDefences(named.models)),
    ...badFit(fieldsOf(parts.dataGiven)['fit'], named.models, named.attacks),
    ...(await badAttacks(named.attacks, parts.targets)),
    ...(await badInstalled(parts, named.installed)),
    ...(await badCertifiers(named.certifiers, parts.targets)),
    ...named.metrics.filter((metric) => typeof metric === 'string'),
    ...badThresholds(parts, named),
    ...(await badMemory(parts.memory)),
  ];
  if (problems.length > 0 || !whole.success) throw new GauntletError('input', problems.join('\n'));
  return whole.data;
}

/** What makes sense of a configuration, whatever is wrong beside it. */
function partsOf(raw: unknown) {
  const { models, data, threatModels, attacks, thresholds, memory, ...rest } = fieldsOf(raw);
  const threats = Object.entries(fieldsOf(threatModels));
  return {
    models: fieldsOf(models),
    data: dataSchema.safeParse(data).data,
    dataGiven: data,
    threatModels: fieldsOf(threatModels),
    targets: {
      models: Object.keys(fieldsOf(models)),
      threatModels: threats.map(([name]) => name),
      sound: new Map(
        threats.flatMap(([name, one]) => {
          const found = threatSchema.safeParse(one);
          return found.success ? [[name, found.data] as const] : [];
        }),
      ),
    },
    attacks,
    installed: rest['options'],
    certifiers: rest['certifiers'],
    metrics: rest['metrics'],
    thresholds: (Array.isArray(thresholds) ? thresholds : []).map(
      (one) => thresholdSchema.safeParse(one).data,
    ),
    memory,
  };
}

type Parts = ReturnType<typeof partsOf>;

/** The plugins that a configuration names, or what is wrong with their names. */
async function namedIn({ models, attacks, installed, certifiers, metrics }: Parts, plugins: Plugins) {
  const defended: Defended[] = [];
  for (const [name, given] of Object.entries(models)) {
    const path: Path = ['models', name, 'defences'];
    const defences = await pluginsOf(fieldsOf(given)['defences'], path, plugins.defence);
    defended.push({ name, given, defences });
  }
  const names = (Array.isArray(metrics) ? metrics : []).filter((name) => typeof name === 'string');
  return {
    models: defended,
    attacks: await pluginsOf(attacks, ['attacks'], plugins.attack),
    installed: await pluginsOf(installed, ['options'], plugins.attack),
    certifiers: await pluginsOf(certifiers, ['certifiers'], plugins.certifier),
    metrics: await Promise.all(
      names.map((name, i) => told(() => plugins.metric(name, pathOf(['metrics', i])))),
    ),
  };
}

type NamedPlugins = Awaited<ReturnType<typeof namedIn>>;

const badNames = ({ targets }: Parts): string[] =>
  Object.entries({ models: targets.models, threatModels: targets.threatModels }).flatMap(([kind, names]) =>
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

async function missingFiles({ models, dataGiven, threatModels }: Parts, folder: string): Promise<string[]> {
  const listed = (path: Path, files: unknown) =>
    (Array.isArray(files) ? files : []).map((file: unknown, i) => [[...path, i], file] as const);
  const files: (readonly [Path, unknown])[] = [
    ...Object.entries(models).flatMap(([name, given]) => {
      const { path, members } = fieldsOf(given);
      return [[['models', name, 'path'], path] as const, ...listed(['models', name, 'members'], members)];
    }),
    [['data', 'path'], fieldsOf(dataGiven)['path']],
    [['data', 'fit', 'path'], fieldsOf(fieldsOf(dataGiven)['fit'])['path']],
    ...Object.entries(threatModels).flatMap(([name, given]) =>
      listed(['threatModels', name, 'surrogates'], fieldsOf(given)['surrogates']),
    ),
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

/** Options of installed attacks, where none is named. */
async function badInstalled(
  { attacks, installed }: Parts,
  named: NamedPlugins['installed'],
): Promise<readonly string[]> {
  if (attacks === undefined || installed === undefined) return badNamed(named);
  return [
    problem(['options'], 'options beside attacks', 'them under attacks.NAME.options', 'Move them there.'),
  ];
}

const badThresholds = ({ thresholds, targets }: Parts, named: NamedPlugins): string[] =>
  thresholds.flatMap((threshold, i) => {
    const { model, threatModel, epsilon, measure } = threshold ?? {};
    const path = (key: string): Path => ['thresholds', i, key];
    const concerned = targets.threatModels.filter((name) => (threatModel ?? name) === name);
    const known = concerned.flatMap((name) => targets.sound.get(name)?.epsilons ?? []);
    // One that makes no sense itself may have meant this radius.
    const sure = concerned.every((name) => targets.sound.has(name));
    const problems: string[] = [];
    if (model !== undefined && !targets.models.includes(model)) {
      problems.push(unknownName(path('model'), 'model', model, targets.models));
    }
    if (threatModel !== undefined && !targets.threatModels.includes(threatModel)) {
      problems.push(unknownName(path('threatModel'), 'threat model', threatModel, targets.threatModels));
    } else if (sure && epsilon !== undefined && !known.some(({ value }) => value === epsilon.value)) {
      const radii = known.map(({ text }) => text);
      problems.push(unknownName(path('epsilon'), 'epsilon', epsilon.text, radii));
    }
    const unproven = named.models
      .filter(({ name }) => (model ?? name) === name)
      .flatMap((one) =>
        concerned
          .filter((threat) => !mayProve(one, threat, { certifiers: named.certifiers, targets }))
          .map((threat) => `${one.name} under ${threat}`),
      );
    if (measure === 'certified-accuracy' && unproven.length > 0) {
      const expected = `a certifier for ${unproven.join(', ')}`;
      const remedy = 'Add one under certifiers, or narrow the threshold down with model and threatModel.';
      problems.push(problem(path('measure'), `'${measure}'`, expected, remedy));
    }
    return problems;
  });

async function badMemory(memory: unknown): Promise<string[]> {
  if (typeof memory !== 'string') return [];
  const found = await told(async () => ({ bytes: parseBytes(memory, 'memory') }));
  return typeof found === 'string' ? [found] : [];
}
