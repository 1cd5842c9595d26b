import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GauntletError, unexpected } from '@gauntlet/core';
import { OnnxError } from '@gauntlet/onnx';
import { type Artifacts, readArtifacts } from '@gauntlet/tfjs-onnx';
import type { GraphModel, io, LayersModel } from '@tensorflow/tfjs';
import type { Tf } from './runtime.js';

/** A model that lives in tfjs. */
export type LiveModel = LayersModel | GraphModel;

/** A loaded model, and where it came from. */
export interface Loaded {
  readonly model: LiveModel;
  readonly name: string;
  /** The files of weights, from the folder of model.json. */
  readonly files: readonly string[];
  /** What its model.json holds; null for a live model. */
  readonly json: Artifacts['json'] | null;
}

export const isLayersModel = (model: LiveModel): model is LayersModel => 'layers' in model;

/** The model.json of a path, which may be the folder that holds it. */
async function jsonOf(path: string): Promise<string> {
  const facts = await stat(path).catch(() => null);
  return facts?.isDirectory() ? join(path, 'model.json') : path;
}

/** A model's files. */
export interface ReadModel {
  readonly file: string;
  readonly artifacts: Artifacts;
}

/**
 * Reads the files of a LayersModel or a GraphModel by `readArtifacts`: within limits, and from the model's folder only.
 *
 * @param path the model.json, or the folder that holds it.
 * @throws GauntletError for what is missing or makes no sense.
 */
export async function read(path: string): Promise<ReadModel> {
  const file = await jsonOf(path);
  const artifacts = await readArtifacts(file).catch((cause: unknown) => {
    if (!(cause instanceof OnnxError)) throw cause;
    throw new GauntletError('input', cause.message.replace('at the model', `at ${file}`), { cause });
  });
  return { file, artifacts };
}

/** Has tfjs load a model. @throws GauntletError for what it refuses. */
export async function load(tf: Tf, { file, artifacts }: ReadModel): Promise<Loaded> {
  const handler = tf.io.fromMemory(inMemory(artifacts));
  try {
    const model = await (artifacts.kind === 'graph'
      ? tf.loadGraphModel(handler)
      : tf.loadLayersModel(handler));
    return { model, name: basename(file), files: artifacts.files, json: artifacts.json };
  } catch (cause) {
    throw unexpected(
      {
        found: `model that tfjs refuses to load (${firstLine(cause)})`,
        at: file,
        expected: 'a LayersModel or a GraphModel',
        remedy: 'Save or convert it again.',
      },
      { cause },
    );
  }
}

function inMemory({ json, topology, specs, bytes }: Artifacts): io.ModelArtifacts {
  const { format, generatedBy, convertedBy, signature, userDefinedMetadata, modelInitializer } = json;
  const facts = { format, generatedBy, convertedBy, signature, userDefinedMetadata, modelInitializer };
  return {
    ...Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined && value !== null)),
    modelTopology: topology,
    weightSpecs: specs as io.WeightsManifestEntry[],
    weightData: bytes.buffer,
  };
}

/** What an error of tfjs says, in one line. */
export function firstLine(error: unknown): string {
  const [line = ''] = String((error as Error | null)?.message ?? error).split('\n');
  const clean = line.replace(/[\p{Cc}\p{Cf}]+/gu, '?').replace(/\.$/, '');
  return clean.length > 240 ? `${clean.slice(0, 240)}...` : clean;
}
