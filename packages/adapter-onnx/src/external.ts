import { realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { unexpected } from '@gauntlet/core';
import {
  everyGraph,
  fileBeside,
  type ModelProto,
  placeAt,
  placeOf,
  type ReadPlace,
  takeInside,
  type TensorProto,
} from '@gauntlet/onnx';
import { LARGEST, readPart, readPartNow, tooLarge } from './bytes.js';

/** Up to so many bytes of external data are put into the model, unless the settings say otherwise. */
const IN_MEMORY = 2 ** 29;

/** For what is written as one file again, all of it. */
export const EVERYTHING = Number.MAX_SAFE_INTEGER;

/** Where weights stay in their files, those do that take more than this share of what may be put into the model: 1 MB of the 512. */
const WORTH = 1 / 512;

/** A gradient graph that holds other forms of the weights keeps below 2 GB if no more than this is read for it. */
const READ_FOR_GRADIENT = 2 ** 30;

/** The external data of a model. */
export interface External {
  /** The files that hold them, from the model's folder, sorted. */
  readonly files: readonly string[];
  /** How many bytes of them tensors refer to. */
  readonly size: number;
  /** The model's folder, where weights stay in their files; null where everything was put into the model. */
  readonly outside: string | null;
}

/** A tensor of a model, and where its data were found. */
interface Part {
  readonly tensor: TensorProto;
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Puts the bytes that a model keeps in other files into the model. Where they are more than `inMemory`, its larger initialisers stay
 * where they are: ONNX Runtime maps them into memory itself.
 *
 * @throws GauntletError for data that are missing, cut, outside of the model's folder, or too large for the model.
 */
export async function loadExternal(
  model: ModelProto,
  path: string,
  inMemory: number = IN_MEMORY,
): Promise<External> {
  const tensors = everyTensor(model).filter((tensor) => placeOf(tensor) !== undefined);
  if (tensors.length === 0) return { files: [], size: 0, outside: null };
  const folder = await realpath(dirname(path));
  const parts: Part[] = [];
  for (const tensor of tensors) parts.push(await locate(folder, tensor, path));
  const size = sizeOf(parts);
  const initialisers = new Set(model.graph!.initializer);
  const stays = ({ tensor, length }: Part) =>
    size > inMemory && length > inMemory * WORTH && initialisers.has(tensor);
  if (sizeOf(parts.filter((part) => !stays(part))) > LARGEST)
    throw tooLarge(path, 'external data that one file has to hold', 'Use a smaller model.');
  const nameOf = (file: string) => relative(folder, file).replaceAll(sep, '/');
  for (const part of parts) {
    const { tensor, file, offset, length } = part;
    if (stays(part)) placeAt(tensor, { location: nameOf(file), offset, length });
    else takeInside(tensor, await readPart(file, offset, length));
  }
  return {
    files: [...new Set(parts.map(({ file }) => nameOf(file)))].sort(),
    size,
    outside: parts.some(stays) ? folder : null,
  };
}

/**
 * Reads weights that stayed outside of a model, for gradient rules that write them in another form; after the first gigabyte they
 * are told that there is no value, and take the form that leaves weights as they are.
 */
export function outsideReader(folder: string | null): ReadPlace {
  let left = folder === null ? 0 : READ_FOR_GRADIENT;
  return ({ location, offset, length = 0 }) => {
    if (folder === null || length > left) return undefined;
    left -= length;
    return readPartNow(join(folder, location), offset, length);
  };
}

const sizeOf = (parts: readonly Part[]) => parts.reduce((sum, { length }) => sum + length, 0);

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

/** The bytes of a tensor in a file, which must lie in the model's folder. */
async function locate(folder: string, tensor: TensorProto, path: string): Promise<Part> {
  const { location, offset, length: declared } = placeOf(tensor)!;
  const at = `tensor "${tensor.name}" of ${path}`;
  const found = await fileBeside(folder, location);
  if (found === 'missing') {
    throw unexpected({
      found: `missing external data "${location}"`,
      at,
      expected: 'that file beside the model',
      remedy: 'Copy it there.',
    });
  }
  if (found === 'outside') {
    throw unexpected({
      found: `external data in "${location}"`,
      at,
      expected: "a file in the model's folder",
      remedy: 'Do not use a model that reads other files.',
    });
  }
  const { file, size } = found;
  const length = declared ?? size - offset;
  const fits = [offset, length].every((n) => Number.isSafeInteger(n) && n >= 0) && offset + length <= size;
  if (fits) return { tensor, file, offset, length };
  throw unexpected({
    found: `external data at bytes ${offset} to ${offset + length} of ${size}`,
    at,
    expected: `a part of ${relative(folder, file)}`,
    remedy: 'Copy the data file again.',
  });
}
