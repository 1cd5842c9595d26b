import { open, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { GauntletError, unexpected } from '@gauntlet/core';
import {
  everyGraph,
  type ModelProto,
  readModel,
  TensorProto_DataLocation,
  type TensorProto,
} from '@gauntlet/onnx';

/** Protobuf's own limit, and so the limit of a model with its weights inside. */
const LARGEST = 2 ** 31 - 1;

/** A model that was read whole. */
export interface Read {
  readonly model: ModelProto;
  /** The files of external data that it was read from as well, from the model's folder, sorted. */
  readonly files: readonly string[];
}

/**
 * Reads a model file with its external data, which must lie in the model's folder or below.
 *
 * @throws GauntletError for files that are missing, truncated, too large or not ONNX.
 */
export async function readModelFile(path: string): Promise<Read> {
  const size = await sizeOf(path);
  if (size > LARGEST) throw tooLarge(path);
  const bytes = await readPart(path, 0, size);
  const model = atPath(path, () => readModel(bytes));
  return { model, files: await loadExternal(model, path) };
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

const tooLarge = (path: string) =>
  unexpected({
    found: 'more than 2 GB of model and external data',
    at: path,
    expected: 'at most 2 GB, which is the limit of one ONNX file',
    remedy: 'Use a smaller model.',
    code: 'unsupported',
  });

/** Puts the bytes that a model keeps in other files into the model, and gives the files. */
async function loadExternal(model: ModelProto, path: string): Promise<readonly string[]> {
  const tensors = everyTensor(model).filter(
    ({ dataLocation }) => dataLocation === TensorProto_DataLocation.EXTERNAL,
  );
  if (tensors.length === 0) return [];
  const folder = await realpath(dirname(path));
  const files = new Set<string>();
  let total = 0;
  for (const tensor of tensors) {
    const entry = (key: string) => tensor.externalData.find((each) => each.key === key)?.value;
    const { file, size } = await locate(folder, entry('location') ?? '', tensor, path);
    const offset = Number(entry('offset') ?? 0);
    const length = Number(entry('length') ?? size - offset);
    const fits = [offset, length].every((n) => Number.isSafeInteger(n) && n >= 0) && offset + length <= size;
    if (!fits) {
      throw unexpected({
        found: `external data at bytes ${offset} to ${offset + length} of ${size}`,
        at: `tensor "${tensor.name}" of ${path}`,
        expected: `a part of ${relative(folder, file)}`,
        remedy: 'Copy the data file again.',
      });
    }
    total += length;
    if (total > LARGEST) throw tooLarge(path);
    tensor.rawData = await readPart(file, offset, length);
    tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
    tensor.externalData = [];
    files.add(relative(folder, file).replaceAll(sep, '/'));
  }
  return [...files].sort();
}

const everyTensor = ({ graph, functions }: ModelProto): TensorProto[] => {
  const graphs = graph === undefined ? [] : everyGraph(graph);
  const nodes = [...graphs, ...functions].flatMap(({ node }) => node);
  return [
    ...graphs.flatMap(({ initializer }) => initializer),
    ...nodes.flatMap(({ attribute }) =>
      attribute.flatMap(({ t, tensors }) => [...(t === undefined ? [] : [t]), ...tensors]),
    ),
  ];
};

/** The real file behind a location, which must not lead out of the model's folder, by links neither. */
async function locate(folder: string, location: string, { name }: TensorProto, path: string) {
  const at = `tensor "${name}" of ${path}`;
  const outside = unexpected({
    found: `external data in "${location}"`,
    at,
    expected: "a file in the model's folder",
    remedy: 'Do not use a model that reads other files.',
  });
  const parts = location.split(/[/\\]/);
  if (location === '' || location.includes('\0') || isAbsolute(location) || parts.includes('..'))
    throw outside;
  const file = await realpath(join(folder, location)).catch((cause: unknown) => {
    const found = `missing external data "${location}"`;
    throw unexpected(
      { found, at, expected: 'that file beside the model', remedy: 'Copy it there.' },
      { cause },
    );
  });
  if (!file.startsWith(folder.endsWith(sep) ? folder : folder + sep)) throw outside;
  const facts = await stat(file);
  if (!facts.isFile()) throw outside;
  return { file, size: facts.size };
}

/** Some bytes of a file, in memory of their own. */
async function readPart(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw unexpected(
      {
        found: 'file that cannot be read',
        at: path,
        expected: 'a readable file',
        remedy: 'Check its permissions.',
      },
      { cause },
    );
  });
  try {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) return bytes.subarray(0, done);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
