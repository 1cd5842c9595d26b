import { basename, dirname, resolve, sep } from 'node:path';
import type { ModelSettings, OpenModel } from '@gauntlet/core';
import { modelFile, openModel } from './open-model.js';
import type { Plugins } from './plugins.js';
import { hashesOf, mustExist, sha256 } from './files.js';

/** A model that was opened, with its file. */
export interface OpenFile {
  readonly path: string;
  readonly model: OpenModel;
  readonly sha256: string;
  /** What runs it. */
  readonly engine: string;
}

/** The models of one audit, all opened in the same way, and closed together. */
export interface ModelFiles {
  open(path: string, engine: string | null): Promise<OpenFile>;
  /** The SHA-256 of each file that they are read from beside their own: by its name for the first, with that of its model for the others. */
  externalData(): Promise<Readonly<Record<string, string>>>;
  close(): Promise<void>;
}

/** Opens models as they are asked for. */
export function createModelFiles(
  plugins: Plugins,
  settings: ModelSettings & { onNotice(notice: string): void },
): ModelFiles {
  const all: OpenFile[] = [];
  return {
    async open(given, engine) {
      const path = await modelFile(given);
      await mustExist(path, 'a model file');
      const onNotice = (notice: string) =>
        settings.onNotice(all.length === 0 ? notice : `${basename(path)}: ${notice}`);
      const opened = await openModel(plugins, { path, engine }, { ...settings, onNotice });
      const file = { path, sha256: await sha256(path), ...opened };
      all.push(file);
      return file;
    },
    async externalData() {
      const hashes: Record<string, string> = {};
      for (const [i, { path, model }] of all.entries()) {
        const own = await hashesOf(model.files ?? [], dirname(path));
        for (const [name, hash] of Object.entries(own)) hashes[i === 0 ? name : `${path}: ${name}`] = hash;
      }
      return hashes;
    },
    async close() {
      for (const { model } of all) await model.close();
    },
  };
}

/** Models by the names of their files, with as many folders before them as tell them apart: the same on every machine. */
export function toldApart<F extends Pick<OpenFile, 'path'>>(
  files: readonly F[],
  model: string,
): readonly (F & { readonly name: string })[] {
  const all = [model, ...files.map(({ path }) => path)].map((path) => resolve(path).split(sep));
  const last = (parts: readonly string[], n: number) => parts.slice(-n).join('/');
  return files.map((file, i) => {
    const own = all[i + 1]!;
    let n = 1;
    while (n < own.length && all.filter((other) => last(other, n) === last(own, n)).length > 1) n++;
    return { ...file, name: last(own, n) };
  });
}
