import { accessOf, allows, type Attack, type Certifier } from '@gauntlet/core';
import type { z } from 'zod';
import { fieldsOf, type ThreatModel, use as useSchema } from './config.js';
import { accessUnder, type Pair, takesPart } from './config-pairs.js';
import { badOptions, type Named } from './config-plugins.js';
import { type Path, pathOf, problem, unknownName } from './config-problems.js';

/** What attacks and certifiers may be for: the names of all models and threat models, and the threat models that make sense. */
export interface Targets {
  readonly models: readonly string[];
  readonly threatModels: readonly string[];
  readonly sound: ReadonlyMap<string, ThreatModel>;
}

/** Whether an attack or certifier takes part in an audit; one that makes no sense itself may mean to. */
export const mayTakePart = ({ given }: Pick<Named<unknown>, 'given'>, pair: Pair): boolean =>
  takesPart(narrowed(given), pair);

/** The models and threat models that an attack or certifier is narrowed down to. */
const narrowed = (given: unknown): Pick<z.output<typeof useSchema>, 'models' | 'threatModels'> =>
  useSchema.safeParse(given).data ?? {};

/** What is wrong with the attacks of a configuration, and with threat models that none belongs to. */
export async function badAttacks(attacks: readonly Named<Attack>[], targets: Targets): Promise<string[]> {
  if (attacks.length === 0) return [];
  const idle = targets.threatModels.flatMap((threatModel) => {
    const models = targets.models.filter(
      (model) => !attacks.some((attack) => mayTakePart(attack, { model, threatModel })),
    );
    if (models.length === 0) return [];
    const of = models.length === targets.models.length ? '' : ` for ${models.join(', ')}`;
    return [
      problem(
        ['threatModels', threatModel],
        `no attack${of}`,
        'at least one that belongs to it',
        'Add one under attacks.',
      ),
    ];
  });
  return [...(await badUses(attacks, targets, misfits)), ...idle];
}

/** What is wrong with the certifiers of a configuration. */
export const badCertifiers = (certifiers: readonly Named<Certifier>[], targets: Targets): Promise<string[]> =>
  badUses(certifiers, targets, ({ certificate: { norms } }, threat) => misfitNorm(norms, threat));

/** A threat model does not fit a plugin: what it has, and what the plugin needs. */
type Misfit = readonly [found: string, expected: string];

/** What is wrong with attacks or certifiers: names, options, threat models that they refer to or do not fit. */
async function badUses<P extends Attack | Certifier>(
  uses: readonly Named<P>[],
  targets: Targets,
  misfitsOf: (plugin: P, threat: ThreatModel) => readonly Misfit[],
): Promise<string[]> {
  const problems: string[] = [];
  const seen = new Map<string, string>();
  for (const { plugin, path, given } of uses) {
    const own = narrowed(given);
    problems.push(
      ...strangers([...path, 'threatModels'], own.threatModels, targets.threatModels),
      ...strangers([...path, 'models'], own.models, targets.models),
    );
    if (typeof plugin === 'string') {
      problems.push(plugin);
      continue;
    }
    const twin = seen.get(plugin.id);
    if (twin !== undefined) {
      problems.push(problem(path, `${plugin.id}, which is ${twin} too`, 'each once', 'Remove one.'));
    }
    seen.set(plugin.id, pathOf(path));
    const options = fieldsOf(given)['options'] ?? {};
    problems.push(...(await badOptions(plugin.options, options, [...path, 'options'])));
    for (const [name, threat] of targets.sound) {
      if (!(own.threatModels ?? [name]).includes(name)) continue;
      problems.push(...misfitsOf(plugin, threat).map((misfit) => misfitted(path, name, misfit)));
    }
  }
  return problems;
}

/** Names, of models or threat models, that are none of those that there are. */
const strangers = (path: Path, names: readonly string[] = [], known: readonly string[]): string[] =>
  names
    .filter((name) => !known.includes(name))
    .map((name) => unknownName(path, path.at(-1) === 'models' ? 'model' : 'threat model', name, known));

const misfitted = (path: Path, threatModel: string, [found, expected]: Misfit) =>
  problem(
    path,
    `${found} of threatModels.${threatModel}`,
    expected,
    `Say with ${pathOf(path)}.threatModels to which threat models it belongs.`,
  );

const misfitNorm = (norms: readonly string[], { norm }: ThreatModel): readonly Misfit[] =>
  norms.includes(norm) ? [] : [[`norm ${norm}`, norms.join(' or ')]];

/** Why an attack cannot be run under a threat model. */
function misfits(attack: Attack, threat: ThreatModel): readonly Misfit[] {
  const [has, needs] = [accessUnder(threat), accessOf(attack)];
  // What it may not ask the model for it can ask others, if their answers are worth something here.
  const elsewhere = threat.surrogates !== undefined && attack.finds === 'within-budget';
  return [
    ...misfitNorm(attack.norms, threat),
    ...(elsewhere || allows(has, needs) ? [] : [[`access ${has}`, `${needs}, which it needs`] as const]),
  ];
}
