import { basename, dirname } from 'node:path';
import {
  type Adapter,
  type Dataset,
  type DatasetSource,
  type Evasion,
  parseOptions,
  shortName,
  type Training,
  type TrainingTask,
  unexpected,
} from '@gauntlet/core';
import { modelFile } from './open-model.js';
import type { Plugins } from './plugins.js';
import { hashesOf, mustExist, sha256 } from './files.js';
import { assignSettings, type Options } from './settings.js';
import type { TrainRequest } from './train-request.js';

/** A training that is checked and ready to run. */
export interface PreparedTraining {
  readonly task: TrainingTask;
  /** All that decides what comes of it, as text: by this a checkpoint is known again. */
  readonly plan: string;
  /** The files that the model was read from. */
  readonly sources: readonly string[];
  readonly notices: readonly string[];
}

/** Finds the plugins, and opens the model and the data: nothing is written. The task's model must be closed. */
export async function prepareTraining(
  asked: TrainRequest,
  version: string,
  plugins: Plugins,
): Promise<PreparedTraining> {
  const request = { ...asked, model: await modelFile(asked.model) };
  const { bounds, seed, epochs, batchSize, patience, optimiser } = request;
  const defence = await plugins.training(request.defence);
  const attack = await attackOf(request, defence, plugins);
  await mustExist(request.model, 'a model file');
  await mustExist(request.data, 'a data set');
  const source = await plugins.dataset(request.data);
  const settings = assignSettings(request.settings, [defence, source, ...(attack === null ? [] : [attack])]);
  const given = (id: string): Options => settings.get(id) ?? {};
  const options = await parseOptions(defence.options, given(defence.id), defence.id);
  const threat = attack === null ? null : await threatOf(request, defence, attack, given(attack.id));
  const adapter = await trainerOf(request, plugins);

  const read = await readerOf(source, request, given(source.id));
  const plain = await read();
  const notices: string[] = [];
  const onNotice = (notice: string) => notices.push(notice);
  const asks = { bounds, shape: plain.shape, ...request.input, optimiser, onNotice };
  const model = await adapter.train(request.model, asks);
  try {
    const { shape } = model.input;
    const dataset = String(shape) === String(plain.shape) ? plain : await read(shape);
    const heldOut = request.heldOut ?? Math.min(500, Math.floor(dataset.samples / 10));
    const task = { defence, options, model, dataset, heldOut, threat, epochs, batchSize, patience, seed };
    const folder = dirname(request.model);
    const files = model.files ?? [];
    const plan = {
      model: { name: basename(request.model), sha256: await sha256(request.model) },
      externalData: await hashesOf(files, folder),
      data: { name: dataset.name, fingerprint: dataset.fingerprint, heldOut },
      source: { use: source.id, options: given(source.id) },
      defence: { use: defence.id, options },
      threat: threat && { ...threat, attack: threat.attack.id },
      schedule: { epochs, batchSize, patience: Number.isFinite(patience) ? patience : null, optimiser },
      seed,
      bounds,
      input: request.input,
      engine: adapter.engine,
      versions: { '@gauntlet/cli': version, ...plugins.versions() },
    };
    const sources = [request.model, ...files.map((file) => `${folder}/${file}`)];
    return { task, plan: JSON.stringify(plan), sources, notices };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** The attack that crafts and measures: the one that is named, or else the defence's own. */
async function attackOf(
  { attack, epsilon }: TrainRequest,
  { id, crafts }: Training,
  plugins: Plugins,
): Promise<Evasion | null> {
  if (crafts !== null && epsilon === null) {
    throw unexpected({
      found: 'missing --epsilon',
      at: 'the command line',
      expected: `--epsilon <radius>, against which ${id} hardens`,
      remedy: 'Pass a radius in the units of the samples, such as 8/255.',
    });
  }
  if (crafts !== null) return plugins.evasion(attack ?? shortName(crafts.use));
  if (epsilon === null && attack === null) return null;
  throw unexpected({
    found: epsilon === null ? `'${attack}'` : String(epsilon),
    at: epsilon === null ? '--attack' : '--epsilon',
    expected: `none, as ${id} crafts no samples`,
    remedy: 'Leave it out, and audit the trained model afterwards.',
  });
}

async function threatOf(
  { norm, epsilon }: TrainRequest,
  { id, norms, crafts }: Training,
  attack: Evasion,
  given: Options,
): Promise<TrainingTask['threat']> {
  const wrong = [{ id, norms }, attack].find((plugin) => !plugin.norms.includes(norm));
  if (wrong !== undefined) {
    throw unexpected({
      found: `norm ${norm}`,
      at: '--norm',
      expected: `a norm of ${wrong.id}: ${wrong.norms.join(', ')}`,
      remedy: 'Name another norm.',
    });
  }
  const own = crafts?.use === attack.id ? crafts.options : {};
  const crafting = await parseOptions(attack.options, { ...own, ...given }, attack.id);
  const measuring = await parseOptions(attack.options, {}, attack.id);
  return { norm, epsilon: epsilon!, attack, crafting, measuring };
}

/** The first adapter for the model that can train it. */
async function trainerOf({ model, engine }: TrainRequest, plugins: Plugins) {
  const all = await plugins.adapters(model, engine);
  const found = all.find(
    (adapter): adapter is Adapter & Required<Pick<Adapter, 'train'>> => 'train' in adapter,
  );
  if (found !== undefined) return found;
  throw unexpected({
    found: `${all.map(({ id }) => id).join(', ')}, which trains nothing`,
    at: model,
    expected: 'a model in a format that can be trained',
    remedy: 'Export the model to ONNX.',
    code: 'unsupported',
  });
}

/** Opens the data: as they lie, or in the shape that the model takes. */
async function readerOf(source: DatasetSource, { data, bounds }: TrainRequest, given: Options) {
  const options = await parseOptions(source.options, given, source.id);
  return (shape?: readonly number[]): Promise<Dataset> =>
    source.open(data, { bounds, ...(shape && { shape }), options });
}
