import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  codeOf,
  dimsOf,
  dtypeOf,
  Graph,
  type GraphProto,
  type ModelProto,
  placeOf,
  readModel,
  renameTensors,
  sortNodes,
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
    mendCasts(new Graph(tidied));
    tidied.graph!.initializer.push(...weights);
    return tidied;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What ONNX Runtime calls the tensors of casts that it puts around ops for which it has no float16 kernel. */
const CAST = 'InsertedPrecisionFreeCast_';

/**
 * Makes such casts fit for the next session, in which they are nodes as any other: their names are those that it gives itself, and where
 * it finds a product of a cast transpose it crashes (1.30 and 1.32), but not where the cast comes first.
 */
function mendCasts(graph: Graph): void {
  const { proto } = graph;
  const names = new Map<string, string>();
  for (const name of proto.node.flatMap(({ output }) => output))
    if (name.startsWith(CAST)) names.set(name, graph.unique(name.slice(CAST.length)));
  if (names.size === 0) return;
  for (const node of [...proto.node]) {
    const turned = node.opType === 'Cast' ? graph.producer(node.input[0]!) : undefined;
    if (turned?.opType !== 'Transpose' || !names.has(node.output[0]!)) continue;
    const cast = graph.node('Cast', [turned.input[0]!], { to: codeOf('float32') });
    Object.assign(node, { opType: 'Transpose', input: [cast], attribute: turned.attribute });
  }
  sortNodes(proto);
  renameTensors(proto, (name) => names.get(name) ?? name);
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
