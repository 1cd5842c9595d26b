import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join, parse, resolve } from 'node:path';
import {
  allows,
  apply,
  assemble,
  type Assembled,
  checkSamples,
  type Dataset,
  type Evasion,
  GauntletError,
  type OpenModel,
  parseOptions,
  type Plan,
  shardCount,
  unexpected,
} from '@gauntlet/core';
import pc from 'picocolors';
import { nearest } from '../discover.js';
import { createPlugins, type Plugins } from '../plugins.js';
import { showProgress } from '../progress.js';
import type { AuditRequest, Setting } from '../request.js';
import { openRunFolder, type RunFolder } from '../run-folder.js';
import { summarise } from '../summary.js';
import type { Terminal } from '../terminal.js';
import { renderVerdict } from '../verdict.js';

/** Runs `gauntlet audit`: checks everything, attacks, and publishes the verdict. */
export async function audit(request: AuditRequest, version: string, terminal: Terminal): Promise<void> {
  const opened = await untilAborted(terminal.signal, openAll(request, terminal));
  const { assembled, plugins } = opened;
  try {
    await untilAborted(terminal.signal, checkSamples(assembled));
    const versions = { '@gauntlet/cli': version, ...plugins.versions() };
    const folder =
      request.out ?? join('gauntlet-out', `${parse(assembled.plan.model.name).name}-${timestamp()}`);
    const path = resolve(terminal.cwd, folder);
    const run = await openRunFolder(path, {
      plan: planText(assembled.plan, request, versions),
      shape: assembled.dataset.shape,
      overwrite: request.overwrite,
    });
    await runAll(assembled, run, folder, terminal);
    const verdict = summarise(assembled, run.rows, { ...versions, node: process.versions.node });
    if (!run.complete) await run.finish(verdict);
    const paint = pc.createColors(terminal.interactive.out && pc.isColorSupported);
    terminal.out(
      request.json
        ? `${JSON.stringify(verdict, null, 2)}\n`
        : `${renderVerdict(verdict, request.epsilons, paint)}\n\nFiles: ${folder} (audit.json, outcomes.jsonl, adversarial.npz, plan.json)\n`,
    );
  } finally {
    await opened.model.close();
  }
}

interface Opened {
  readonly plugins: Plugins;
  readonly model: OpenModel;
  readonly assembled: Assembled;
}

/** Finds the plugins, opens the model and the data, and checks the plan: nothing is written. */
async function openAll(request: AuditRequest, terminal: Terminal): Promise<Opened> {
  const plugins = createPlugins(terminal.cwd);
  const named = request.attacks === null ? null : await all(request.attacks, (name) => plugins.attack(name));
  const installed = named ?? (await plugins.attacks());
  await Promise.all([mustExist(request.model, 'a model file'), mustExist(request.data, 'a data set')]);
  const source = await plugins.dataset(request.data);
  const settings = assignSettings(request.settings, [...installed, source]);
  const options = await parseOptions(source.options, settings.get(source.id) ?? {}, source.id);

  const adapter = await plugins.adapter(request.model);
  const model = await adapter.open(request.model, {
    bounds: request.bounds,
    ...request.input,
    onNotice: (notice) => terminal.err(`gauntlet: ${notice}\n`),
  });
  try {
    const dataset = await source.open(request.data, {
      bounds: request.bounds,
      shape: model.input.shape,
      options,
    });
    const attacks = named ?? fitting(installed, request, model);
    const plan = planOf(request, { model, dataset, attacks, settings, sha256: await sha256(request.model) });
    const byId = new Map(attacks.map((attack) => [attack.id, attack]));
    const assembled = await assemble(plan, { model, dataset, attack: (id) => byId.get(id) });
    return { plugins, model, assembled };
  } catch (error) {
    await model.close();
    throw error;
  }
}

async function all<T, U>(items: readonly T[], make: (item: T) => Promise<U>): Promise<U[]> {
  const made: U[] = [];
  for (const item of items) made.push(await make(item));
  return made;
}

async function mustExist(path: string, expected: string): Promise<void> {
  await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const found = cause.code === 'ENOENT' ? 'no file' : `something that cannot be read (${cause.code})`;
    throw unexpected({ found, at: path, expected, remedy: 'Check the path.' }, { cause });
  });
}

/** The installed attacks that work under the threat model and on the model. */
function fitting(
  installed: readonly Evasion[],
  { norm }: AuditRequest,
  model: OpenModel,
): readonly Evasion[] {
  const fit = installed.filter(({ norms, access }) => norms.includes(norm) && allows(model.access, access));
  if (fit.length > 0) return fit;
  throw unexpected({
    found: `norm ${norm} and a model that offers ${model.access}`,
    at: model.name,
    expected: 'what one of the installed attacks works with',
    remedy: `Name another norm, or install another attack; these are installed: ${installed
      .map(({ id, norms, access }) => `${id} (${norms.join(', ')}; needs ${access})`)
      .join(', ')}.`,
    code: 'unsupported',
  });
}

/** Options by plugin id. A setting names its plugin by the id or by its last part. */
function assignSettings(
  settings: readonly Setting[],
  plugins: readonly { readonly id: string }[],
): ReadonlyMap<string, Readonly<Record<string, unknown>>> {
  const assigned = new Map<string, Record<string, unknown>>();
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
    assigned.set(owner.id, { ...assigned.get(owner.id), [option]: value });
  }
  return assigned;
}

function planOf(
  request: AuditRequest,
  parts: {
    model: OpenModel;
    dataset: Dataset;
    attacks: readonly Evasion[];
    settings: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
    sha256: string;
  },
): Plan {
  const { dataset, attacks, settings, sha256 } = parts;
  return {
    model: { name: basename(request.model), sha256 },
    data: {
      name: dataset.name,
      fingerprint: dataset.fingerprint,
      samples: Math.min(request.limit, dataset.samples),
    },
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

/** What plan.json holds: all that decides what the rows will be. */
const planText = (plan: Plan, { input }: AuditRequest, versions: Readonly<Record<string, string>>) =>
  `${JSON.stringify({ ...plan, input, versions }, null, 2)}\n`;

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function runAll(
  assembled: Assembled,
  run: RunFolder,
  folder: string,
  terminal: Terminal,
): Promise<void> {
  if (run.complete) return;
  const { signal, now } = terminal;
  const progress = showProgress(shardCount(assembled.plan), run.done.size, {
    write: terminal.err,
    terminal: terminal.interactive.err,
    now,
  });
  try {
    for await (const shard of apply(assembled, { signal, now, done: (key) => run.done.has(key) })) {
      await run.append(shard);
      progress.advance();
    }
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new GauntletError(
      'interrupted',
      `Interrupted with ${run.rows.length} rows finished. Run the same command with --out ${folder} to go on.`,
      { cause },
    );
  } finally {
    progress.end();
  }
}

/** What `work` gives, unless the user has had enough before. */
async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const interrupted = () => new GauntletError('interrupted', 'Interrupted; nothing was written.');
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(interrupted());
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    if (signal.aborted) throw interrupted();
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

const timestamp = () => new Date().toISOString().slice(0, 19).replaceAll(':', '-');
