import {
  declaredTypes,
  type Dim,
  type DType,
  fromNumbers,
  Graph,
  isFloat,
  type NodeProto,
  readModel,
  type TensorType,
  writeModel,
} from '@gauntlet/onnx';
import type { InputPort } from './input.js';
import { BATCH } from './prepared.js';
import { createSession, type Feeds, loadRuntime, type Runtime } from './runtime.js';
import { untyped } from './untyped.js';

/** Multiples of it, modulo 1, are spread evenly. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** The types of a model's tensors, as learnt from runs. */
export type Types = Map<string, TensorType>;

/**
 * Learns type and shape of every tensor: each is made an output, so that ONNX Runtime tells its type, and a Shape node behind it
 * tells its sizes in two runs, at two batch sizes if there are two, on different points. Sizes that grow with the batch are written `N`,
 * `12*N`; sizes that do neither, as those that follow the data, stay open.
 *
 * @param bounds the range of the points of the second run; those of the first are zeros.
 */
export async function learnTypes(
  { model, outside, at }: { model: Uint8Array; outside: string | null; at: string },
  names: readonly string[],
  inputs: readonly InputPort[],
  batches: readonly number[],
  bounds: readonly [lo: number, hi: number],
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
    // The first run is on zeros, the second on others: what is not of one size then follows the data.
    const [first, last = first] = batches as [number, number?];
    const runs: Feeds[] = [];
    for (const [batch, span] of [
      [first, [0, 0]],
      [last, bounds],
    ] as const) {
      const feeds = inputs.map((input) => [input.name, points(Tensor, input, batch, span)] as const);
      runs.push(await session.run(Object.fromEntries(feeds), shapes));
    }
    const facts = new Map(session.native.outputMetadata.map((fact) => [fact.name, fact]));
    const types = declaredTypes(graph.model);
    names.forEach((name, i) => {
      const fact = facts.get(name);
      if (fact?.isTensor !== true) return;
      const sizes = runs.map((run) => Array.from(run[shapes[i]!]!.data as BigInt64Array, Number));
      types.set(name, { dtype: fact.type as DType, dims: dimsOf(name, sizes, [first, last]) });
    });
    for (const { name, dtype, dims } of inputs)
      types.set(name, { dtype, dims: batches.length > 1 ? dims : sized(dims, first) });
    return types;
  } finally {
    await session.release();
  }
}

/** A shape at one size of the batch. */
export const sized = (dims: readonly Dim[], batch: number): readonly Dim[] =>
  dims.map((size) => (size === BATCH ? batch : size));

/** Numbers for an input: floats all over a range, ones for others unless the range is empty; or texts. */
function points(
  Tensor: Runtime['Tensor'],
  { dtype, dims }: InputPort,
  batch: number,
  [lo, hi]: readonly [number, number],
) {
  const shape = sized(dims, batch).map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  if (dtype === 'string') return new Tensor('string', new Array<string>(count).fill('0'), shape);
  const values = Array.from({ length: count }, (_, i) =>
    isFloat(dtype) ? lo + (hi - lo) * ((i * GOLDEN + 0.5) % 1) : Number(hi > lo),
  );
  return new Tensor(dtype as 'float32', fromNumbers(dtype, values, shape).data as Float32Array, shape);
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

const isOpen = (type: TensorType | undefined): boolean =>
  type?.dims.some((size) => typeof size === 'string' && !/^(\d+\*)?N$/.test(size)) ?? false;

/** The first node whose output has a size that follows the data; undefined if no tensor has one. */
export const firstOpen = ({ proto }: Graph, types: Types): NodeProto | undefined =>
  proto.node.find(({ output }) => output.some((name) => isOpen(types.get(name))));
