import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Adapter, isGauntletError, type ModelSettings, type OpenModel } from '@gauntlet/core';
import type { Plugins } from './plugins.js';

/** A model, and what runs it. */
export interface Opened {
  readonly model: OpenModel;
  readonly engine: string;
}

/** The file of a model: a folder stands for the model.json in it. */
export async function modelFile(path: string): Promise<string> {
  const isFolder = await stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
  return isFolder ? join(path, 'model.json') : path;
}

/** Opens a model by the engine that is asked for, or else by the first that can; the others are told about in a notice. */
export async function openModel(
  plugins: Plugins,
  { path, engine }: { readonly path: string; readonly engine: string | null },
  settings: ModelSettings & { onNotice(notice: string): void },
): Promise<Opened> {
  const open = async (adapter: Adapter, others: readonly Adapter[]): Promise<Opened> => {
    try {
      return { model: await adapter.open(path, settings), engine: adapter.engine };
    } catch (error) {
      const [next, ...rest] = others;
      if (next === undefined || !isGauntletError(error) || error.code !== 'unsupported') throw error;
      settings.onNotice(
        `The engine ${next.engine} runs the model, since ${adapter.engine} cannot. ${error.message}`,
      );
      return open(next, rest);
    }
  };
  const [first, ...others] = await plugins.adapters(path, engine);
  return open(first, others);
}
