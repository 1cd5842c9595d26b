import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  allows,
  assemble,
  type Assembled,
  checkSamples,
  type Dataset,
  type DatasetSource,
  type Evasion,
  type OpenModel,
  optionFacts,
  parseOptions,
  type Plan,
  unexpected,
} from '@gauntlet/core';
import { nearest } from './discover.js';
import type { Plugins } from './plugins.js';
import type { AuditRequest, Setting } from './request.js';

/** An audit that is checked and ready to run. */
export interface Prepared {
  readonly assembled: Assembled;
  /** How the data set was read. */
  readonly source: { readonly use: string; readonly options: unknown };
  /** The SHA-256 of each file that the model is read from beside its own. */
  readonly externalData: Readonly<Record<string, string>>;
  /** What the user should know about the model. */
  readonly notices: readonly string[];
  close(): Promise<void>;
}

type Options = Readonly<Record<string, unknown>>;

/** Finds the plugins, opens the model and the data, and checks everything: nothing is written. */
export async function prepare(request: AuditRequest, plugins: Plugins): Promise<Prepared> {
  const candidates = await attacksOf(request, plugins);
  await mustExist(request.model, 'a model file');
  await mustExist(request.data, 'a data set');
  const source = await plugins.dataset(request.data);
  const settings = assignSettings(request.settings, [...candidates, source]);
  const options = await parseOptions(source.options, settings.get(source.id) ?? {}, source.id);
  const adapter = await plugins.adapter(request.model);

  const { bounds } = request;
  const notices = noticesOf(request);
  // As the data lies by itself: a model that leaves sizes open takes its shape.
  const plain = await source.open(request.data, { bounds, options });
  const model = await adapter.open(request.model, {
    bounds,
    shape: plain.shape,
    ...request.input,
    onNotice: (notice) => notices.push(notice),
  });
  try {
    const attacks = fitting(candidates, request, model, notices);
    const { shape } = model.input;
    const fits = String(shape) === String(plain.shape);
    const dataset = fits ? plain : await source.open(request.data, { bounds, shape, options });
    const plan = planOf(request, { dataset, attacks, settings, sha256: await sha256(request.model) });
    const byId = new Map(attacks.map((attack) => [attack.id, attack]));
    const assembled = await assemble(plan, { model, dataset, attack: (id) => byId.get(id) });
    await checkSamples(assembled);
    return {
      assembled,
      source: { use: source.id, options },
      externalData: await hashesOf(model.files ?? [], dirname(request.model)),
      notices,
      close: () => model.close(),
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** Below this share of the box a radius was hardly meant. */
const TINY = 1e-3;

function noticesOf({ epsilons, bounds: [lo, hi] }: AuditRequest): string[] {
  const largest = epsilons.at(-1)!;
  if (largest.value === 0 || largest.value >= TINY * (hi - lo)) return [];
  return [`epsilon ${largest.text} is tiny beside the box [${lo}, ${hi}]: epsilon is in the units of x.`];
}

async function attacksOf({ attacks }: AuditRequest, plugins: Plugins): Promise<readonly Evasion[]> {
  if (attacks === null) return plugins.attacks();
  const named: Evasion[] = [];
  for (const name of attacks) named.push(await plugins.attack(name));
  return [...new Set(named)];
}

async function mustExist(path: string, expected: string): Promise<void> {
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
  const inNorm = candidates.filter(({ norms }) => attacks !== null || norms.includes(norm));
  const fit = inNorm.filter(({ access }) => allows(model.access, access));
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
    expected: list(refused.map(({ id, access }) => `${access} for ${id}`)),
    remedy: [...notices, `${left} can still run on it.`].join(' '),
    code: 'unsupported',
  });
}

const list = (words: readonly string[]) => words.join(', ');

/** Options by plugin id. A setting names its plugin by the id or by its last part. */
function assignSettings(
  settings: readonly Setting[],
  plugins: readonly (Evasion | DatasetSource)[],
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
function mustDeclare({ id, options }: Evasion | DatasetSource, plugin: string, option: string): void {
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
      access: 'gradients',
      norm: request.norm,
      epsilons: request.epsilons.map(({ value }) => value),
      box: request.bounds,
    },
    attacks: attacks.map(({ id }) => ({ use: id, options: settings.get(id) ?? {} })),
    restarts: request.restarts,
    batchSize: request.batchSize,
    seed: request.seed,
  };
}

async function hashesOf(files: readonly string[], folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const file of files) hashes[file] = await sha256(join(folder, file));
  return hashes;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
