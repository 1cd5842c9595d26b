import {
  declaredTypes,
  type Dim,
  type DType,
  Graph,
  readModel,
  type TensorType,
  writeModel,
} from '@gauntlet/onnx';
import type { Input } from './input.js';
import { BATCH } from './prepared.js';
import { createSession, type Feeds, loadRuntime } from './runtime.js';
import { untyped } from './untyped.js';

/** The types of a model's tensors, as learnt from runs. */
export type Types = Map<string, TensorType>;

/**
 * Learns type and shape of every tensor: each is made an output, so that ONNX Runtime tells its type, and a Shape node behind it
 * tells its sizes in one run per batch size. Sizes that grow with the batch are written `N`, `12*N`; sizes that do neither stay open.
 */
export async function learnTypes(
  { model, outside, at }: { model: Uint8Array; outside: string | null; at: string },
  names: readonly string[],
  input: Pick<Input, 'name' | 'dtype' | 'shape'>,
  batches: readonly number[],
): Promise<Types> {
  const graph = new Graph(readModel(model));
  const known = new Set(graph.proto.output.map(({ name }) => name));
  for (const name of names) if (!known.has(name)) graph.proto.output.push(untyped(name));
  const shapes = names.map((name) => graph.node('Shape', [name]));
  graph.proto.output.push(...shapes.map(untyped));
  const { Tensor } = await loadRuntime();
  const session = await createSession(writeModel(graph.model), at, {
    outside,
    graphOptimizationLevel: 'disabled',
  });
  try {
    const runs: Feeds[] = [];
    for (const batch of batches) {
      const dims = [batch, ...input.shape];
      const size = dims.reduce((product, n) => product * n, 1);
      const points =
        input.dtype === 'string'
          ? new Tensor('string', new Array<string>(size).fill('0'), dims)
          : new Tensor('float32', new Float32Array(size), dims);
      runs.push(await session.run({ [input.name]: points }, shapes));
    }
    const facts = new Map(session.native.outputMetadata.map((fact) => [fact.name, fact]));
    const types = declaredTypes(graph.model);
    names.forEach((name, i) => {
      const fact = facts.get(name);
      if (fact?.isTensor !== true) return;
      const sizes = runs.map((run) => Array.from(run[shapes[i]!]!.data as BigInt64Array, Number));
      types.set(name, { dtype: fact.type as DType, dims: dimsOf(name, sizes, batches) });
    });
    types.set(input.name, {
      dtype: input.dtype,
      dims: [batches.length > 1 ? BATCH : batches[0]!, ...input.shape],
    });
    return types;
  } finally {
    await session.release();
  }
}

/** One shape for all batch sizes. */
function dimsOf(name: string, sizes: readonly (readonly number[])[], batches: readonly number[]): Dim[] {
  const [first = []] = sizes;
  return first.map((size, axis) => {
    if (sizes.every((each) => each[axis] === size)) return size;
    const share = size / batches[0]!;
    const follows = Number.isInteger(share) && sizes.every((each, i) => each[axis] === share * batches[i]!);
    if (!follows) return `${name}.${axis}`;
    return share === 1 ? BATCH : `${share}*${BATCH}`;
  });
}
