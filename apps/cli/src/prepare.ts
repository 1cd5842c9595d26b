import { basename, resolve, sep } from 'node:path';
import {
  type Access,
  allows,
  assemble,
  type Attack,
  type Assembled,
  type Certifier,
  checkSamples,
  type Dataset,
  type DatasetSource,
  type Model,
  OPEN,
  ownProver,
  parseOptions,
  type Plan,
  type Prover,
  proverOf,
  STATIC,
  UNDEFENDED,
} from '@gauntlet/core';
import { probeBatchSize, probeSize } from './batch-size.js';
import { mustExist } from './files.js';
import { createModelFiles, type OpenFile } from './model-files.js';
import { modelFile } from './open-model.js';
import type { Plugins } from './plugins.js';
import { type Choice, type NotRun, portfolio } from './portfolio.js';
import type { AuditRequest } from './request.js';
import { recordedPlan } from './run-folder.js';
import { assignSettings, type Settings } from './settings.js';
import { openStack, type Stack, systemsOf } from './stack.js';
import type { Terminal } from './terminal.js';

/** An audit that is checked and ready to run. */
export interface Prepared {
  readonly assembled: Assembled;
  /** How the data set was read. */
  readonly source: { readonly use: string; readonly options: unknown };
  /** Names of classes by their ids, where the data set knows any. */
  readonly classes: readonly string[] | undefined;
  /** What runs the model. */
  readonly engine: string;
  /** The SHA-256 of each file that the models are read from beside their own. */
  readonly externalData: Readonly<Record<string, string>>;
  /** Attacks that were left out of those that are installed, where none was named. */
  readonly notRun: readonly NotRun[];
  /** What the user should know about the model. */
  readonly notices: readonly string[];
  close(): Promise<void>;
}

/** Finds the plugins, opens the models and the data, and checks everything: nothing is written. */
export async function prepare(
  asked: AuditRequest,
  plugins: Plugins,
  terminal: Pick<Terminal, 'cwd' | 'now'>,
): Promise<Prepared> {
  const request = { ...asked, model: await modelFile(asked.model) };
  const { bounds, seed, stack: stackAsked } = request;
  const candidates = await attacksOf(request, plugins);
  const defences = await each(stackAsked.defences, plugins.defence);
  const certifiers = await each(request.certifiers, plugins.certifier);
  await mustExist(request.model, 'a model file');
  await mustExist(request.data, 'a data set');
  const source = await plugins.dataset(request.data);
  const settings = assignSettings(request.settings, [...candidates, ...defences, ...certifiers, source]);
  const options = await parseOptions(source.options, settings.get(source.id) ?? {}, source.id);

  const notices = noticesOf(request);
  // As the data lies by itself: a model that leaves sizes open takes its shape.
  const plain = await source.open(request.data, { bounds, options });
  const files = createModelFiles(plugins, {
    bounds,
    shape: plain.shape,
    memory: request.memory,
    ...request.input,
    onNotice: (notice) => notices.push(notice),
  });
  try {
    const { model, sha256, engine } = await files.open(request.model, request.engine);
    const members = await each(stackAsked.members, (path) => files.open(path, null));
    const others = await each(request.surrogates, (path) => files.open(path, null));
    const surrogates = named(others, request.model);
    const { shape } = model.input;
    const fits = String(shape) === String(plain.shape);
    const anew = () => source.open(request.data, { bounds, shape, options });
    const stack = await openStack({
      asked: stackAsked,
      defences,
      universal: candidates.some(({ kind }) => kind === 'universal'),
      settings,
      models: [model, ...members.map((one) => one.model)],
      members: members.map((one) => one.sha256),
      dataset: fits ? plain : (plain.as?.(shape) ?? (await anew())),
      box: bounds,
      seed,
      openData: (path) => openFitData(path, { plugins, source, options, bounds, shape }),
    });
    const systems = systemsOf(
      stack,
      Object.fromEntries(surrogates.map(({ name, model: one }) => [name, one])),
    );
    const { choices, notRun } = portfolio(candidates, request, systems, notices);
    const plan = planOf(request, { stack, choices, certifiers, surrogates, settings, sha256 });
    const provers = await proversOf(stack, certifiers, { settings, request, notices });
    const { undefended, open } = systems;
    const assembled = await assemble(plan, {
      model: systems.model,
      surrogates: {
        ...present({ [STATIC]: undefended, [UNDEFENDED]: undefended, [OPEN]: open }),
        ...systems.surrogates,
      },
      dataset: stack.attacked,
      ...(stack.apart && { fit: stack.apart }),
      attack: (id) => candidates.find((attack) => attack.id === id),
      provers,
    });
    await checkSamples(assembled);
    const batchSize = await batchSizeOf(request, { assembled, callSize: model.callSize }, terminal);
    return {
      assembled: { ...assembled, plan: { ...plan, batchSize } },
      source: { use: source.id, options },
      classes: plain.classes,
      engine,
      externalData: await files.externalData(),
      notRun,
      notices,
      close: files.close,
    };
  } catch (error) {
    await files.close();
    throw error;
  }
}

/** One after another. */
async function each<T, R>(all: readonly T[], then: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (const one of all) results.push(await then(one));
  return results;
}

const present = (all: Readonly<Record<string, Model<Access> | null>>) =>
  Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, Model<Access>] => entry[1] !== null),
  );

/** Surrogates by the names of their files, with as many folders before them as tell them apart: the same on every machine. */
function named(files: readonly OpenFile[], model: string) {
  const all = [model, ...files.map(({ path }) => path)].map((path) => resolve(path).split(sep));
  const last = (parts: readonly string[], n: number) => parts.slice(-n).join('/');
  return files.map((file, i) => {
    const own = all[i + 1]!;
    let n = 1;
    while (n < own.length && all.filter((other) => last(other, n) === last(own, n)).length > 1) n++;
    return { ...file, name: last(own, n) };
  });
}

/** Opens other clean samples, laid out as the model takes them. */
async function openFitData(
  path: string,
  own: {
    readonly plugins: Plugins;
    readonly source: DatasetSource;
    readonly options: unknown;
    readonly bounds: readonly [number, number];
    readonly shape: readonly number[];
  },
): Promise<Dataset> {
  await mustExist(path, 'a data set');
  const source = await own.plugins.dataset(path);
  const options =
    source.id === own.source.id ? own.options : await parseOptions(source.options, {}, source.id);
  return source.open(path, { bounds: own.bounds, shape: own.shape, options });
}

/** Those that were named, and the wrapper that proves things about its own answers in the norm of the audit. */
async function proversOf(
  { models, layers }: Stack,
  certifiers: readonly Certifier[],
  { settings, request, notices }: { settings: Settings; request: AuditRequest; notices: string[] },
): Promise<readonly Prover[]> {
  const named = await each(certifiers, async (certifier) =>
    proverOf(
      certifier,
      await parseOptions(certifier.options, settings.get(certifier.id) ?? {}, certifier.id),
    ),
  );
  const own = ownProver(models, layers);
  if (own === null) return named;
  if (own.norms.includes(request.norm)) return [own, ...named];
  notices.push(`${own.id} certifies in ${list(own.norms)} only: nothing is certified in ${request.norm}.`);
  return named;
}

/** Samples that are looked at together, where the batch size is not known yet. */
const READ = 64;

/** The batch size that was asked for, or that of the run which goes on, or what a trial finds. */
async function batchSizeOf(
  request: AuditRequest,
  { assembled, callSize }: { readonly assembled: Assembled; readonly callSize: number | undefined },
  { cwd, now }: Pick<Terminal, 'cwd' | 'now'>,
): Promise<number> {
  if (request.batchSize !== 'auto') return request.batchSize;
  const { plan, model, dataset, steps } = assembled;
  const recorded =
    request.out === null || request.overwrite ? undefined : await recordedPlan(resolve(cwd, request.out));
  if (Number.isSafeInteger(recorded?.batchSize)) return recorded!.batchSize!;
  const { x } = await dataset.batch(0, probeSize({ callSize }, plan.data.samples));
  // What is crafted on other models is tried on this one only.
  const access = highest(steps.map(({ attack, on }) => (on === undefined ? attack.access : 'labels')));
  return probeBatchSize(model, { access, x, targeted: request.goal.kind === 'targeted', now });
}

const highest = (all: readonly Access[]): Access => all.reduce((a, b) => (allows(a, b) ? a : b), 'none');

/** Below this share of the box a radius was hardly meant. */
const TINY = 1e-3;

function noticesOf({ norm, epsilons, bounds: [lo, hi] }: AuditRequest): string[] {
  const largest = epsilons.at(-1)!;
  if (norm === 'l0') {
    const none = largest.value > 0 && largest.value < 1;
    return none
      ? [`epsilon ${largest.text} allows no change: in l0 it counts the numbers of x that may change.`]
      : [];
  }
  if (largest.value === 0 || largest.value >= TINY * (hi - lo)) return [];
  return [`epsilon ${largest.text} is tiny beside the box [${lo}, ${hi}]: epsilon is in the units of x.`];
}

const attacksOf = async ({ attacks }: AuditRequest, plugins: Plugins): Promise<readonly Attack[]> =>
  attacks === null ? plugins.attacks() : [...new Set(await each(attacks, plugins.attack))];

const list = (words: readonly string[]) => words.join(', ');

function planOf(
  request: AuditRequest,
  parts: {
    stack: Stack;
    choices: readonly Choice[];
    certifiers: readonly Certifier[];
    surrogates: readonly { readonly name: string; readonly sha256: string }[];
    settings: Settings;
    sha256: string;
  },
): Plan {
  const { stack, choices, certifiers, settings } = parts;
  const { name, fingerprint, samples } = stack.attacked;
  const surrogates = parts.surrogates.map((one) => ({ name: one.name, sha256: one.sha256 }));
  const uses = (id: string) => ({ use: id, options: settings.get(id) ?? {} });
  return {
    model: { name: basename(request.model), sha256: parts.sha256 },
    data: { name, fingerprint, samples: Math.min(request.limit, samples) },
    threatModel: {
      goal: request.goal,
      confidence: 0,
      access: request.access,
      norm: request.norm,
      epsilons: request.epsilons.map(({ value }) => value),
      box: request.bounds,
      ...(surrogates.length > 0 && { surrogates: surrogates.map((one) => one.name) }),
      queries: request.queries,
    },
    ...(stack.planned.length > 0 && { defences: stack.planned }),
    ...(stack.fit && { fit: stack.fit }),
    ...(surrogates.length > 0 && { surrogates }),
    attacks: choices.map(({ attack, on }) => ({ ...uses(attack.id), ...(on !== undefined && { on }) })),
    ...(certifiers.length > 0 && { certifiers: certifiers.map(({ id }) => uses(id)) }),
    restarts: request.restarts,
    batchSize: request.batchSize === 'auto' ? READ : request.batchSize,
    seed: request.seed,
  };
}
