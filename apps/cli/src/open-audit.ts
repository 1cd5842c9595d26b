import { type Attack, type Certifier, type Dataset, type DatasetSource, parseOptions } from '@gauntlet/core';
import { each } from './each.js';
import { mustExist } from './files.js';
import { createModelFiles, type ModelFiles, type OpenFile, toldApart } from './model-files.js';
import { modelFile } from './open-model.js';
import type { Plugins } from './plugins.js';
import type { AuditRequest } from './request.js';
import { assignSettings, type Settings } from './settings.js';
import { openStack, type Stack } from './stack.js';

/** The parts of an audit, opened: its plugins, models and data, and what stands before the model. */
export interface OpenAudit {
  readonly request: AuditRequest;
  readonly attacks: readonly Attack[];
  readonly certifiers: readonly Certifier[];
  readonly settings: Settings;
  /** How the data set was read. */
  readonly source: { readonly use: string; readonly options: unknown };
  /** Names of classes by their ids, where the data set knows any. */
  readonly classes: readonly string[] | undefined;
  /** The model that the request names. */
  readonly main: OpenFile;
  /** Other models to craft on. */
  readonly surrogates: readonly (OpenFile & { readonly name: string })[];
  readonly stack: Stack;
  readonly files: ModelFiles;
}

/** Finds the plugins, and opens the models and the data. `onNotice` hears what the user should know about them. */
export async function openAudit(
  asked: AuditRequest,
  plugins: Plugins,
  onNotice: (notice: string) => void,
): Promise<OpenAudit> {
  const request = { ...asked, model: await modelFile(asked.model) };
  const { bounds, seed, stack: stackAsked } = request;
  const attacks = await attacksOf(request, plugins);
  const defences = await each(stackAsked.defences, plugins.defence);
  const certifiers = await each(request.certifiers, plugins.certifier);
  await mustExist(request.model, 'a model file');
  await mustExist(request.data, 'a data set');
  const source = await plugins.dataset(request.data);
  const settings = assignSettings(request.settings, [...attacks, ...defences, ...certifiers, source]);
  const options = await parseOptions(source.options, settings.get(source.id) ?? {}, source.id);

  // As the data lies by itself: a model that leaves sizes open takes its shape.
  const plain = await source.open(request.data, { bounds, options });
  const { memory, input } = request;
  const files = createModelFiles(plugins, { bounds, shape: plain.shape, memory, ...input, onNotice });
  try {
    const main = await files.open(request.model, request.engine);
    const members = await each(stackAsked.members, (path) => files.open(path, null));
    const others = await each(request.surrogates, (path) => files.open(path, null));
    const { shape } = main.model.input;
    const fits = String(shape) === String(plain.shape);
    const anew = () => source.open(request.data, { bounds, shape, options });
    const stack = await openStack({
      asked: stackAsked,
      defences,
      universal: attacks.some(({ kind }) => kind === 'universal'),
      settings,
      models: [main.model, ...members.map(({ model }) => model)],
      members: members.map(({ sha256 }) => sha256),
      dataset: fits ? plain : (plain.as?.(shape) ?? (await anew())),
      box: bounds,
      seed,
      openData: (path) => openFitData(path, { plugins, source, options, bounds, shape }),
    });
    return {
      ...{ request, attacks, certifiers, settings, main, stack, files },
      source: { use: source.id, options },
      classes: plain.classes,
      surrogates: toldApart(others, request.model),
    };
  } catch (error) {
    await files.close();
    throw error;
  }
}

const attacksOf = async ({ attacks }: AuditRequest, plugins: Plugins): Promise<readonly Attack[]> =>
  attacks === null ? plugins.attacks() : [...new Set(await each(attacks, plugins.attack))];

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
