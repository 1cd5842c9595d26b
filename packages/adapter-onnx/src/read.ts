import { stat } from 'node:fs/promises';
import { GauntletError, unexpected } from '@gauntlet/core';
import { type ModelProto, readModel } from '@gauntlet/onnx';
import { LARGEST, readPart, tooLarge } from './bytes.js';
import { type External, loadExternal } from './external.js';

/** A model that was read, and its external data. */
export interface Read {
  readonly model: ModelProto;
  readonly external: External;
}

/** How a model file is read. */
export interface ReadSettings {
  /** Bytes of external data that are put into the model; where there are more, its larger weights stay in their files. 512 MB by default. */
  readonly inMemory?: number;
}

/** Whether a path looks like a model of tfjs: its topology in JSON, beside its weights. */
export const isLayersModel = (path: string): boolean => path.toLowerCase().endsWith('.json');

/**
 * Reads a model file with its external data, which must lie in the model's folder or below. A LayersModel of tfjs is read as ONNX.
 *
 * @throws GauntletError for files that are missing, truncated, too large or not ONNX, and for layers that ONNX has not.
 */
export async function readModelFile(path: string, { inMemory }: ReadSettings = {}): Promise<Read> {
  if (isLayersModel(path)) return readLayersModel(path);
  const size = await sizeOf(path);
  if (size > LARGEST) throw tooLarge(path, 'model', 'Export it with external data.');
  const bytes = await readPart(path, 0, size);
  const model = atPath(path, () => readModel(bytes));
  return { model, external: await loadExternal(model, path, inMemory) };
}

async function readLayersModel(path: string): Promise<Read> {
  const { convert } = await import('@gauntlet/tfjs-onnx');
  const { model, files } = await convert(path).catch((error: unknown) =>
    atPath(path, () => {
      throw error;
    }),
  );
  return { model, external: { files, size: 0, outside: null } };
}

/** Names the file in an error of the ONNX reader. */
export function atPath<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof GauntletError || !(cause instanceof Error) || !('code' in cause)) throw cause;
    throw new GauntletError(cause.code === 'no-rule' ? 'unsupported' : 'input', naming(path, cause.message), {
      cause,
    });
  }
}

/** A sentence of the ONNX reader, which knows no file names. */
function naming(path: string, sentence: string): string {
  if (sentence.includes('at the model')) return sentence.replace(/at the model( file)?/, `at ${path}`);
  const [found = '', ...rest] = sentence.split(', expected');
  return [`${found} ${found.includes(' at ') ? 'of' : 'at'} ${path}`, ...rest].join(', expected');
}

async function sizeOf(path: string): Promise<number> {
  try {
    const facts = await stat(path);
    if (facts.isFile()) return facts.size;
  } catch (cause) {
    throw unexpected(
      { found: 'missing file', at: path, expected: 'an ONNX model', remedy: 'Check the path.' },
      { cause },
    );
  }
  throw unexpected({
    found: 'something other than a file',
    at: path,
    expected: 'an ONNX model',
    remedy: 'Check the path.',
  });
}
