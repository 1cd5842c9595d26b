import { isDeepStrictEqual } from 'node:util';
import { OPEN, optionFacts, shortName, STATIC } from '@gauntlet/core';
import npz from '@gauntlet/dataset-npz';
import type { Run } from './read-run.js';

/**
 * The command line that runs a plan again, for a shell. The plan knows the names of models and data, not their folders. Null where it does not say
 * enough: of a defence of several models, and of detectors, which were fitted on other samples.
 */
export function commandOf({ plan }: Pick<Run, 'plan'>): string | null {
  const { model, data, threatModel, attacks, defences = [], certifiers = [], source, input, engine } = plan;
  if (plan.fit !== undefined || defences.some(({ members = [] }) => members.length > 0)) return null;
  const { goal, norm, epsilons, box, queries, access } = threatModel;
  const surrogates = (plan.surrogates ?? []).map(({ name }) => name);
  const on = new Set(attacks.map((attack) => attack.on));
  const option = (flag: string, value: unknown) =>
    value === undefined || value === null ? [] : [`--${flag}`, String(value)];
  const list = (flag: string, ids: readonly string[]) =>
    ids.length === 0 ? [] : option(flag, [...new Set(ids.map(shortName))].join(','));
  // What is crafted through a part of the defences runs where no attack is named only.
  const named = on.has(OPEN)
    ? []
    : list(
        'attack',
        attacks.map(({ use }) => use),
      );
  const used = [
    ...attacks,
    ...defences,
    ...certifiers,
    ...(source ? [{ ...source, options: changed(source) }] : []),
  ];
  return [
    ...['npx', 'gauntlet', 'audit', model.name],
    ...option('data', data.name),
    ...option('norm', norm),
    ...option('epsilon', epsilons.join(',')),
    ...named,
    ...(named.length > 0 && on.has(STATIC) ? ['--static'] : []),
    ...list(
      'defence',
      defences.map(({ use }) => use),
    ),
    ...(surrogates.length === 0 ? [] : option('surrogate', surrogates.join(','))),
    ...list(
      'certifier',
      certifiers.map(({ use }) => use),
    ),
    ...new Map(used.flatMap(({ use, options }) => settings(use, options))).values(),
    ...(access === (surrogates.length > 0 ? 'none' : 'gradients') ? [] : option('access', access)),
    ...option('targeted', goal.kind === 'targeted' ? goal.target : undefined),
    ...option('queries', queries),
    ...(plan.restarts === 1 ? [] : option('restarts', plan.restarts)),
    ...option('limit', data.samples),
    ...option('batch-size', plan.batchSize),
    ...option('seed', plan.seed),
    ...(String(box) === '0,1' ? [] : option('bounds', box.join(','))),
    ...option('mean', input.mean?.join(',')),
    ...option('std', input.std?.join(',')),
    ...option('output', input.output),
    ...(engine === 'onnx' ? [] : option('engine', engine)),
  ]
    .flat()
    .map(quoted)
    .join(' ');
}

type Options = Readonly<Record<string, unknown>>;

/** An option that is set, by its name: one that several steps share is set once. */
const settings = (use: string, options: Options) =>
  Object.entries(options).map(([name, value]) => {
    const path = `${shortName(use)}.${name}`;
    return [path, ['--set', `${path}=${typeof value === 'string' ? value : JSON.stringify(value)}`]] as const;
  });

/** The options of a data set that are not what they are by default, as far as that is known here. */
function changed({ use, options }: { readonly use: string; readonly options: Options }): Options {
  const facts = use === npz.id ? optionFacts(npz.options) : [];
  const usual = (name: string, value: unknown) =>
    facts.some((fact) => fact.name === name && isDeepStrictEqual(fact.default, value));
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => !usual(name, value)));
}

/** A word as a POSIX shell takes it. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
