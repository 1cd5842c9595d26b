import { isDeepStrictEqual } from 'node:util';
import { optionFacts } from '@gauntlet/core';
import npz from '@gauntlet/dataset-npz';
import type { Run } from './read-run.js';
import { shortName } from './words.js';

/**
 * The command line that runs a plan again, for a shell. The plan knows the names of model and data, not their folders. Null for a plan with
 * defences or surrogates, which is made by code.
 */
export function commandOf({ plan }: Pick<Run, 'plan'>): string | null {
  const { model, data, threatModel, attacks, defences = [], source, input, engine } = plan;
  if (defences.length > 0 || attacks.some(({ on }) => on !== undefined)) return null;
  const { goal, norm, epsilons, box, queries } = threatModel;
  const option = (flag: string, value: unknown) =>
    value === undefined || value === null ? [] : [`--${flag}`, String(value)];
  return [
    ...['npx', 'gauntlet', 'audit', model.name],
    ...option('data', data.name),
    ...option('norm', norm),
    ...option('epsilon', epsilons.join(',')),
    ...option('attack', attacks.map(({ use }) => shortName(use)).join(',')),
    ...attacks.flatMap(({ use, options }) => settings(use, options)),
    ...(source === undefined ? [] : settings(source.use, changed(source))),
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
    .map(quoted)
    .join(' ');
}

type Options = Readonly<Record<string, unknown>>;

const settings = (use: string, options: Options) =>
  Object.entries(options).flatMap(([name, value]) => [
    '--set',
    `${shortName(use)}.${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ]);

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
