import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ModelProto, placeAt, type TensorProto, writeModel } from '@gauntlet/onnx';

/** From so many bytes of weights on, a model is handed over with its weights in a file. */
const LARGE = 2 ** 24;

/** Initialisers of more bytes than this are put outside. */
const WORTH = 1024;

/** The multiple of bytes at which ONNX Runtime maps parts of a file. */
const PAGE = 4096;

const FILE = 'weights.bin';

/** Whether a model has so many weights that they should not be copied. */
export const isLarge = ({ graph }: ModelProto): boolean =>
  (graph?.initializer ?? []).reduce((sum, { rawData }) => sum + rawData.length, 0) >= LARGE;

/**
 * Does something with the bytes of a model and a folder in which its weights lie meanwhile. ONNX Runtime maps them into memory from there, while it would hold
 * those of bytes three times as it loads them, beside the bytes.
 */
export async function withWeightsOutside<T>(
  model: ModelProto,
  work: (bytes: Uint8Array, folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'gauntlet-'));
  try {
    return await work(writeModel(await putOutside(model, join(folder, FILE))), folder);
  } finally {
    // Where a mapped file cannot be taken away, the system's own clearing of temporary files has to.
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** The model with its larger initialisers in a file, which is written. */
async function putOutside({ graph, ...model }: ModelProto, path: string): Promise<ModelProto> {
  const file = await open(path, 'wx');
  try {
    let end = 0;
    const initializer: TensorProto[] = [];
    for (const proto of graph!.initializer) {
      const { rawData } = proto;
      const { length } = rawData;
      const outside = { ...proto, rawData: new Uint8Array() };
      initializer.push(length > WORTH ? outside : proto);
      if (length <= WORTH) continue;
      const offset = Math.ceil(end / PAGE) * PAGE;
      // Unlike `write`, this writes all or fails: what a full disk cuts off would be zeros.
      await file.writeFile(new Uint8Array(offset - end));
      await file.writeFile(rawData);
      placeAt(outside, { location: FILE, offset, length });
      end = offset + length;
    }
    return { ...model, graph: { ...graph!, initializer } };
  } finally {
    await file.close();
  }
}
