import {
  type Access,
  checkShapes,
  checkValues,
  type Dataset,
  type Detector,
  fitThresholds,
  isOpen,
  type Layer,
  defend,
  type Model,
  parseOptions,
  type PlannedDefence,
  type PlannedFit,
  type Preprocessor,
  setApart,
  unexpected,
  type Wrapper,
} from '@gauntlet/core';
import type { Systems } from './portfolio.js';
import type { StackRequest } from './request.js';

/** One model, or the members of a defence that takes several. */
export type Models = readonly [Model<Access>, ...Model<Access>[]];

/** What stands before a model, ready to be asked. */
export interface Stack {
  readonly models: Models;
  readonly layers: readonly Layer[];
  readonly planned: readonly PlannedDefence[];
  readonly fit: PlannedFit | null;
  /** The samples that are attacked. */
  readonly attacked: Dataset;
  /** Those that detectors and universal attacks are fitted by instead, if any are. */
  readonly apart: Dataset | null;
}

interface Parts {
  readonly asked: StackRequest;
  readonly defences: readonly (Preprocessor | Wrapper | Detector)[];
  /** Whether an attack is to be fitted, too. */
  readonly universal: boolean;
  /** Options that were set, by id. */
  readonly settings: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly models: Models;
  /** The SHA-256 of each model but the first. */
  readonly members: readonly string[];
  readonly dataset: Dataset;
  readonly box: readonly [number, number];
  readonly seed: number;
  /** Opens other clean samples, laid out as the model takes them. */
  openData(path: string): Promise<Dataset>;
}

/** Samples that are looked at together. */
const READ = 64;

/** Checks a stack, sets samples apart where anything is fitted, and fits the thresholds of its detectors on them. */
export async function openStack(parts: Parts): Promise<Stack> {
  const { asked, defences, settings, models, members, dataset, box, seed } = parts;
  const unfitted = await Promise.all(
    defences.map(async (defence): Promise<Layer> => {
      const options = await parseOptions(defence.options, settings.get(defence.id) ?? {}, defence.id);
      if (defence.kind === 'detector') return { defence, options, threshold: Infinity };
      return { defence, options } as Layer;
    }),
  );
  defend(models, unfitted);
  const guarded = defences.some(({ kind }) => kind === 'detector');
  const fits = guarded || parts.universal;
  if (!fits) mustNotFit(asked);
  const { attacked, apart } = fits ? await cleanSamples(parts) : { attacked: dataset, apart: null };
  const share = asked.falseRejections;
  if (apart !== null) {
    await checkShapes(models[0], apart);
    await checkValues(models[0], apart, { samples: apart.samples, batchSize: READ, box });
  }
  const layers =
    apart === null
      ? unfitted
      : await fitThresholds(models, unfitted, apart, { share, seed, batchSize: READ });
  const planned = layers.map((layer): PlannedDefence => {
    const { id, kind, backward } = layer.defence;
    const several = layer.defence.kind === 'wrapper' && layer.defence.models === 'several';
    return {
      use: id,
      kind,
      options: settings.get(id) ?? {},
      backward,
      ...(layer.defence.kind !== 'detector' && layer.defence.random === true && { random: true }),
      ...('threshold' in layer && { threshold: layer.threshold }),
      ...(several && { members }),
    };
  });
  const fit = apart && {
    name: apart.name,
    fingerprint: apart.fingerprint,
    samples: apart.samples,
    ...(guarded && { falseRejections: share }),
  };
  return { models, layers, planned, fit, attacked, apart };
}

/** The defended model, and what else attacks on it may be run on. */
export function systemsOf(
  { models, layers }: Pick<Stack, 'models' | 'layers'>,
  surrogates: Systems['surrogates'],
): Systems {
  const model = defend(models, layers);
  const [first] = models;
  const open = layers.filter((layer) => isOpen(layer.defence));
  const closed = layers.filter((layer) => !isOpen(layer.defence)).map(({ defence }) => defence.id);
  const passes = open.some(({ defence }) => defence.kind !== 'detector');
  const last = open.at(-1)?.defence;
  const members: Models = last?.kind === 'wrapper' && last.models === 'several' ? models : [first];
  return {
    model,
    closed,
    undefended: layers.length === 0 ? null : first,
    open: closed.length > 0 && passes ? defend(members, open) : null,
    surrogates,
  };
}

async function cleanSamples({
  asked,
  dataset,
  seed,
  openData,
}: Parts): Promise<{ readonly attacked: Dataset; readonly apart: Dataset }> {
  if (asked.fitData === null) {
    const count = asked.heldOut ?? Math.min(500, Math.floor(dataset.samples / 5));
    return setApart(dataset, count, seed);
  }
  const apart = await openData(asked.fitData);
  if (asked.heldOut === null && apart.fingerprint !== dataset.fingerprint)
    return { attacked: dataset, apart };
  throw unexpected({
    found: asked.heldOut === null ? 'the data that is attacked' : '--held-out beside --fit-data',
    at: asked.fitData,
    expected: 'other samples to fit on',
    remedy: 'Leave --fit-data out to set samples apart, or name other data.',
  });
}

/** Refuses flags that fit nothing. */
function mustNotFit({ fitData, heldOut }: StackRequest): void {
  if (fitData === null && heldOut === null) return;
  throw unexpected({
    found: fitData === null ? '--held-out' : '--fit-data',
    at: 'the command line',
    expected: 'a detector among the defences, or a universal attack',
    remedy: 'Name one with --defence or --attack, or leave it out.',
  });
}
