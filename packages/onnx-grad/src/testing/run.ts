import type { ModelProto, Tensor, TensorType } from '@gauntlet/onnx';
import { declaredTypes, numbersOf, writeModel, writeValueInfo } from '@gauntlet/onnx';
// eslint-disable-next-line @nx/enforce-module-boundaries -- helpers of tests are not built, and tests run graphs
import * as ort from 'onnxruntime-node';

/** Named tensors. */
export type Feeds = ReadonlyMap<string, Tensor>;

/** A model loaded into ONNX Runtime's CPU, to be run several times. */
export interface Session {
  /** The outputs that are asked for, or all. Feeds that the model does not take are left out. */
  run(feeds: Feeds, wanted?: readonly string[]): Promise<Map<string, Tensor>>;
  release(): Promise<void>;
}

/** Loads a model, with options of ONNX Runtime. */
export async function openSession(
  model: ModelProto,
  options: ort.InferenceSession.SessionOptions = {},
): Promise<Session> {
  const session = await ort.InferenceSession.create(writeModel(model), {
    ...options,
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  return {
    async run(feeds, wanted = session.outputNames) {
      const inputs = session.inputNames.flatMap((name) => {
        const feed = feeds.get(name);
        return feed === undefined ? [] : [[name, toOrt(feed)] as const];
      });
      const outputs = await session.run(Object.fromEntries(inputs), wanted);
      return new Map(Object.entries(outputs).map(([name, tensor]) => [name, fromOrt(tensor)]));
    },
    release: () => session.release(),
  };
}

/** Runs a model once. */
export async function run(
  model: ModelProto,
  feeds: Feeds,
  wanted?: readonly string[],
): Promise<Map<string, Tensor>> {
  const session = await openSession(model);
  try {
    return await session.run(feeds, wanted);
  } finally {
    await session.release();
  }
}

/** Types of every tensor, learnt by running the model with all of them as outputs; with a symbolic batch, sizes that follow it get a name. */
export async function learnTypes(model: ModelProto, feeds: Feeds): Promise<Map<string, TensorType>> {
  const declared = declaredTypes(model);
  const batched = new Set(
    model.graph!.input.flatMap(({ name }) => (typeof declared.get(name)?.dims[0] === 'string' ? [name] : [])),
  );
  const inner = model.graph!.node.flatMap(({ output }) => output.filter((name) => name !== ''));
  const outputs = inner.map((name) => writeValueInfo(name, 'float32'));
  outputs.forEach((info) => (info.type = undefined));
  const open = { ...model, graph: { ...model.graph!, output: outputs } };
  const once = await run(open, feeds);
  // Where one name stands for sizes that cannot be doubled together, they count as fixed.
  const twice = batched.size > 0 ? await run(open, double(feeds, batched)).catch(() => once) : once;
  const types = new Map<string, TensorType>();
  for (const [name, tensor] of [...feeds, ...once]) {
    const grown = tensor.dims.map((dim, i) =>
      i === 0 && batched.has(name) && twice !== once ? 2 * dim : dim,
    );
    const other = twice.get(name)?.dims ?? grown;
    const n = [...batched].map((input) => feeds.get(input)!.dims[0]!)[0] ?? 1;
    types.set(name, {
      dtype: tensor.dtype,
      dims: tensor.dims.map((dim, i) => (dim === other[i] ? dim : label(dim / n))),
    });
  }
  for (const [name, type] of declared) if (!types.has(name)) types.set(name, type);
  return types;
}

/** Largest difference divided by the largest expected magnitude (or 1e-30, to compare with zeros). */
export function relativeError(found: Tensor, expected: Tensor): number {
  const [a, b] = [numbersOf(found), numbersOf(expected)];
  if (a.length !== b.length) return Infinity;
  const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  return a.reduce(
    (most, value, i) => Math.max(most, near(value, b[i]!) ? 0 : Math.abs(value - b[i]!) / scale),
    0,
  );
}

// What is left of a difference of equal numbers in float64 counts as zero.
const near = (a: number, b: number) => Object.is(a, b) || Math.abs(a - b) < 1e-15;

const label = (factor: number) => (factor === 1 ? 'N' : `${factor}*N`);

function double(feeds: Feeds, batched: ReadonlySet<string>): Feeds {
  return new Map(
    [...feeds].map(([name, tensor]) => {
      if (!batched.has(name)) return [name, tensor];
      const data = tensor.data as Float32Array;
      const twice = new (data.constructor as Float32ArrayConstructor)(data.length * 2);
      twice.set(data);
      twice.set(data, data.length);
      return [name, { ...tensor, dims: [tensor.dims[0]! * 2, ...tensor.dims.slice(1)], data: twice }];
    }),
  );
}

function toOrt({ dtype, dims, data }: Tensor): ort.Tensor {
  return new ort.Tensor(dtype as 'float32', data as Float32Array, dims);
}

function fromOrt(tensor: ort.Tensor): Tensor {
  return { dtype: tensor.type as Tensor['dtype'], dims: tensor.dims, data: tensor.data as Float32Array };
}
