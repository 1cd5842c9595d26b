import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  dimsOf,
  dtypeOf,
  type GraphProto,
  type ModelProto,
  placeOf,
  readModel,
  type TensorProto,
  writeModel,
  writeValueInfo,
} from '@gauntlet/onnx';
import { atPath } from './read.js';
import { createSession } from './runtime.js';

/**
 * The model after ONNX Runtime folded its constants and fused what standard operators can say.
 *
 * @param at names the model in messages.
 * @param kept initialisers that must stay as they are, beside those outside of the model: while it works, ONNX Runtime knows them as
 *   inputs. The model loses them.
 */
export async function tidy(model: ModelProto, at: string, kept: readonly string[] = []): Promise<ModelProto> {
  const weights = takeOut(model.graph!, new Set(kept));
  const folder = await mkdtemp(join(tmpdir(), 'gauntlet-'));
  try {
    const file = join(folder, 'tidy.onnx');
    const session = await createSession(writeModel(model), at, {
      graphOptimizationLevel: 'basic',
      optimizedModelFilePath: file,
    });
    await session.release();
    const bytes = await readFile(file);
    const tidied = atPath(at, () => readModel(bytes));
    tidied.graph!.initializer.push(...weights);
    return tidied;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Makes initialisers inputs, those of the given names and those outside, and gives them. */
function takeOut(graph: GraphProto, names: ReadonlySet<string>): readonly TensorProto[] {
  const isTaken = (proto: TensorProto) => names.has(proto.name) || placeOf(proto) !== undefined;
  const taken = graph.initializer.filter(isTaken);
  graph.initializer = graph.initializer.filter((proto) => !isTaken(proto));
  const inputs = taken.map((proto) => writeValueInfo(proto.name, dtypeOf(proto.dataType)!, dimsOf(proto)));
  graph.input.push(...inputs);
  return taken;
}
