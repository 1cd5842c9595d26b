import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  type Access,
  allows,
  assemble,
  type Assembled,
  checkSamples,
  type Dataset,
  type Evasion,
  type OpenModel,
  optionFacts,
  parseOptions,
  type Plan,
  runsOn,
  unexpected,
} from '@gauntlet/core';
import { probeBatchSize, probeSize } from './batch-size.js';
import { nearest } from './discover.js';
import { modelFile, openModel } from './open-model.js';
import type { Plugins } from './plugins.js';
import type { AuditRequest, Setting } from './request.js';
import { recordedPlan } from './run-folder.js';
import type { Terminal } from './terminal.js';

/** An audit that is checked and ready to run. */
export interface Prepared {
  readonly assembled: Assembled;
  /** How the data set was read. */
  readonly source: { readonly use: string; readonly options: unknown };
  /** What runs the model. */
  readonly engine: string;
  /** The SHA-256 of each file that the model is read from beside its own. */
  readonly externalData: Readonly<Record<string, string>>;
  /** What the user should know about the model. */
  readonly notices: readonly string[];
  close(): Promise<void>;
}

/** Options as the user gave them. */
export type Options = Readonly<Record<string, unknown>>;

/** Finds the plugins, opens the model and the data, and checks everything: nothing is written. */
export async function prepare(
  asked: AuditRequest,
  plugins: Plugins,
  terminal: Pick<Terminal, 'cwd' | 'now'>,
): Promise<Prepared> {
  const request = { ...asked, model: await modelFile(asked.model) };
  const candidates = await attacksOf(request, plugins);
  await mustExist(request.model, 'a model file');
  await mustExist(request.data, 'a data set');
  const source = await plugins.dataset(request.data);
  const settings = assignSettings(request.settings, [...candidates, source]);
  const options = await parseOptions(source.options, settings.get(source.id) ?? {}, source.id);

  const { bounds } = request;
  const notices = noticesOf(request);
  // As the data lies by itself: a model that leaves sizes open takes its shape.
  const plain = await source.open(request.data, { bounds, options });
  const { model, engine } = await openModel(
    plugins,
    { path: request.model, engine: request.engine },
    {
      bounds,
      shape: plain.shape,
      memory: request.memory,
      ...request.input,
      onNotice: (notice) => notices.push(notice),
    },
  );
  try {
    const attacks = fitting(candidates, request, model, notices);
    const { shape } = model.input;
    const fits = String(shape) === String(plain.shape);
    const anew = () => source.open(request.data, { bounds, shape, options });
    const dataset = fits ? plain : (plain.as?.(shape) ?? (await anew()));
    const plan = planOf(request, { dataset, attacks, settings, sha256: await sha256(request.model) });
    const byId = new Map(attacks.map((attack) => [attack.id, attack]));
    const assembled = await assemble(plan, { model, dataset, attack: (id) => byId.get(id) });
    await checkSamples(assembled);
    const batchSize = await batchSizeOf(request, { assembled, model }, terminal);
    return {
      assembled: { ...assembled, plan: { ...plan, batchSize } },
      source: { use: source.id, options },
      engine,
      externalData: await hashesOf(model.files ?? [], dirname(request.model)),
      notices,
      close: () => model.close(),
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** Samples that are looked at together, where the batch size is not known yet. */
const READ = 64;

/** The batch size that was asked for, or that of the run which goes on, or what a trial finds. */
async function batchSizeOf(
  request: AuditRequest,
  { assembled, model }: { readonly assembled: Assembled; readonly model: OpenModel },
  { cwd, now }: Pick<Terminal, 'cwd' | 'now'>,
): Promise<number> {
  if (request.batchSize !== 'auto') return request.batchSize;
  const { plan, dataset, steps } = assembled;
  const recorded =
    request.out === null || request.overwrite ? undefined : await recordedPlan(resolve(cwd, request.out));
  if (Number.isSafeInteger(recorded?.batchSize)) return recorded!.batchSize!;
  const { x } = await dataset.batch(0, probeSize(model, plan.data.samples));
  const access = highest(steps.map(({ attack }) => attack.access));
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

async function attacksOf({ attacks }: AuditRequest, plugins: Plugins): Promise<readonly Evasion[]> {
  if (attacks === null) return plugins.attacks();
  const named: Evasion[] = [];
  for (const name of attacks) named.push(await plugins.attack(name));
  return [...new Set(named)];
}

/** @throws GauntletError `input` where nothing can be read at a path. */
export async function mustExist(path: string, expected: string): Promise<void> {
  await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const found = cause.code === 'ENOENT' ? 'missing file' : `unreadable path (${cause.code})`;
    throw unexpected({ found, at: path, expected, remedy: 'Check the path.' }, { cause });
  });
}

/**
 * Of the attacks that were named, all must work on the model; of those that are merely installed, the ones that work under the
 * threat model are taken.
 */
function fitting(
  candidates: readonly Evasion[],
  { norm, attacks }: AuditRequest,
  model: OpenModel,
  notices: readonly string[],
): readonly Evasion[] {
  const inNorm = chosen(
    candidates.filter(({ norms }) => attacks !== null || norms.includes(norm)),
    { attacks },
    model,
  );
  const fit = inNorm.filter((attack) => runsOn(attack, model));
  if (fit.length > 0 && (attacks === null || fit.length === candidates.length)) return fit;
  if (inNorm.length === 0) {
    throw unexpected({
      found: `norm ${norm}`,
      at: '--norm',
      expected: `a norm of an installed attack: ${list([...new Set(candidates.flatMap(({ norms }) => norms))])}`,
      remedy: 'Name another norm, or install another attack.',
    });
  }
  const refused = inNorm.filter((attack) => !fit.includes(attack));
  const left = fit.length === 0 ? 'No attack that is installed or named' : list(fit.map(({ id }) => id));
  throw unexpected({
    found: `model that offers ${model.access}`,
    at: model.name,
    expected: list(refused.map(({ id, access, reads }) => `${reads ?? access} for ${id}`)),
    remedy: [...notices, `${left} can still run on it.`].join(' '),
    code: 'unsupported',
  });
}

/** What an audit runs that names no attack: those that run by default, or where none of them can, those that can. */
function chosen(
  candidates: readonly Evasion[],
  { attacks }: Pick<AuditRequest, 'attacks'>,
  model: OpenModel,
): readonly Evasion[] {
  if (attacks !== null) return candidates;
  const usual = candidates.filter(({ byDefault }) => byDefault !== false);
  const able = candidates.filter((attack) => runsOn(attack, model));
  return able.length === 0 || able.some((attack) => usual.includes(attack)) ? usual : able;
}

const list = (words: readonly string[]) => words.join(', ');

/** Options by plugin id. A setting names its plugin by the id or by its last part. */
export function assignSettings(
  settings: readonly Setting[],
  plugins: readonly Pick<Evasion, 'id' | 'options'>[],
): ReadonlyMap<string, Options> {
  const assigned = new Map<string, Options>();
  const short = (id: string) => id.replace(/^.*\//, '');
  for (const { plugin, option, value } of settings) {
    const owner = plugins.find(({ id }) => id === plugin || short(id) === plugin);
    if (owner === undefined) {
      const names = plugins.map(({ id }) => short(id));
      const meant = nearest(plugin, names);
      throw unexpected({
        found: `plugin '${plugin}'`,
        at: '--set',
        expected: `one that takes part (${names.join(', ')})`,
        remedy: meant === undefined ? 'Name one of these.' : `Did you mean ${meant}?`,
      });
    }
    mustDeclare(owner, plugin, option);
    assigned.set(owner.id, { ...assigned.get(owner.id), [option]: value });
  }
  return assigned;
}

/** Refuses an option that a plugin does not have, where its schema tells. */
function mustDeclare({ id, options }: Pick<Evasion, 'id' | 'options'>, plugin: string, option: string): void {
  const closed = options['~standard'].jsonSchema?.input({ target: 'draft-07' })['additionalProperties'];
  const known = optionFacts(options).map(({ name }) => name);
  if (closed !== false || known.includes(option)) return;
  const meant = nearest(option, known);
  throw unexpected({
    found: `option '${option}' of ${id}`,
    at: '--set',
    expected: known.length === 0 ? 'none, as it has no options' : `one of ${list(known)}`,
    remedy: meant === undefined ? 'See gauntlet plugins --options.' : `Did you mean ${plugin}.${meant}?`,
  });
}

function planOf(
  request: AuditRequest,
  parts: {
    dataset: Dataset;
    attacks: readonly Evasion[];
    settings: ReadonlyMap<string, Options>;
    sha256: string;
  },
): Plan {
  const { dataset, attacks, settings } = parts;
  const samples = Math.min(request.limit, dataset.samples);
  return {
    model: { name: basename(request.model), sha256: parts.sha256 },
    data: { name: dataset.name, fingerprint: dataset.fingerprint, samples },
    threatModel: {
      goal: request.goal,
      confidence: 0,
      access: request.access,
      norm: request.norm,
      epsilons: request.epsilons.map(({ value }) => value),
      box: request.bounds,
      queries: request.queries,
    },
    attacks: attacks.map(({ id }) => ({ use: id, options: settings.get(id) ?? {} })),
    restarts: request.restarts,
    batchSize: request.batchSize === 'auto' ? READ : request.batchSize,
    seed: request.seed,
  };
}

/** The SHA-256 of files in a folder, by their names. */
export async function hashesOf(files: readonly string[], folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const file of files) hashes[file] = await sha256(join(folder, file));
  return hashes;
}

/** The SHA-256 of a file, in hexadecimal digits. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
