import { createHash } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Provenance } from '@gauntlet/core';
import type { LayersModel } from '@tensorflow/tfjs';
import type { Loaded } from './source.js';

/**
 * Writes a model.json with the model's present weights and its provenance in `userDefinedMetadata`. The weights go into a file of their own
 * beside it, named by their content: so the model.json, which comes last, always has the weights that it speaks of.
 */
export async function saveLayers(
  model: LayersModel,
  json: Loaded['json'],
  path: string,
  provenance: Provenance,
): Promise<void> {
  const contents = (model.weights as unknown as { originalName: string; read(): Weight }[]).map((weight) => ({
    name: weight.originalName,
    tensor: weight.read(),
  }));
  const bytes = Buffer.concat(contents.map(({ tensor }) => Buffer.from(tensor.dataSync().slice().buffer)));
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const weights = `${basename(path).replace(/\.json$/i, '')}-${hash}.bin`;
  const known = (json?.['userDefinedMetadata'] ?? {}) as Readonly<Record<string, unknown>>;
  const written = {
    format: 'layers-model',
    modelTopology: model.toJSON(null, false),
    ...json,
    weightsManifest: [
      {
        paths: [weights],
        weights: contents.map(({ name, tensor: { shape } }) => ({ name, shape, dtype: 'float32' })),
      },
    ],
    userDefinedMetadata: { ...known, ...provenance },
  };
  const temporary = `${path}.tmp`;
  try {
    await writeFile(join(dirname(path), weights), bytes);
    await writeFile(temporary, JSON.stringify(written));
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

interface Weight {
  readonly shape: readonly number[];
  dataSync(): Float32Array;
}
