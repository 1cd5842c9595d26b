import { type Channels, channelsOf, type ModelSettings, unexpected } from '@gauntlet/core';
import {
  codeOf,
  type DType,
  type Graph,
  readValueInfo,
  type TensorType,
  type ValueInfoProto,
  writeValueInfo,
} from '@gauntlet/onnx';
import { BATCH } from './prepared.js';
import { isBatch, isWide, wantedOf } from './wanted.js';

/** More numbers than any sample has. */
const LARGEST = 2 ** 28;

/** What is known of the samples. */
export interface InputSettings extends ModelSettings {
  /** Whether they are texts; numbers otherwise. */
  readonly text?: boolean;
  /**
   * The inputs that shall be differentiated by, by name, where the model may have several: all of floats if empty. If left out, the
   * samples must be its only input.
   */
  readonly wanted?: readonly string[];
}

/** The input that samples go into. */
export interface Input {
  readonly name: string;
  readonly dtype: 'float32' | 'string';
  readonly shape: readonly number[];
  /** The batch size that the file declares; null where it leaves it open. */
  readonly batch: number | null;
}

/** Something that goes into a model: the samples, or what stands beside them. */
export interface InputPort extends TensorType {
  readonly name: string;
  /** Its name in the file; the same, unless nodes were put before it. */
  readonly declared: string;
  /** Whether it is differentiated by. */
  readonly wanted: boolean;
}

/** What a graph takes: the samples, and everything, in the order of the file. A size that follows the batch is written `N`. */
export interface Inputs {
  readonly input: Input;
  readonly inputs: readonly InputPort[];
}

/**
 * Makes the graph take float32 inputs in raw units: constants that are listed as inputs become constants, the batch axis is named, other
 * open sizes are taken from `settings.shape`, and mean and standard deviation become the first nodes. Inputs that are not wanted keep
 * their types.
 *
 * @throws GauntletError for inputs that cannot be used, or of which there are too many.
 */
export function takeInputs(graph: Graph, settings: InputSettings, path: string): Inputs {
  const { proto } = graph;
  const constants = new Set(proto.initializer.map(({ name }) => name));
  const infos = proto.input.filter(({ name }) => !constants.has(name));
  const wanted = wantedOf(infos, settings.wanted, path);
  const samples = wanted.find(isBatch) ?? infos.find(isBatch) ?? wanted[0]!;
  if ((wanted.length > 1 || wanted[0] !== samples) && (settings.mean ?? settings.std) !== undefined) {
    throw unexpected({
      found: `a mean or deviation for ${wanted.map(({ name }) => `"${name}"`).join(', ')}`,
      at: path,
      expected: 'it for one input, a batch of samples',
      remedy: 'Name the input with --input.',
    });
  }
  const input = takeSamples(graph, samples, settings, path);
  const inputs = infos.map((info): InputPort => {
    if (info !== samples) return takeBeside(graph, info, wanted.includes(info), path);
    const { name, dtype, batch, shape } = input;
    return {
      name,
      declared: info.name,
      dtype,
      dims: [batch ?? BATCH, ...shape],
      wanted: wanted.includes(info),
    };
  });
  proto.input = inputs.map(({ name, dtype, dims }) => writeValueInfo(name, dtype, dims));
  return { input, inputs };
}

function takeSamples(graph: Graph, info: ValueInfoProto, settings: InputSettings, path: string): Input {
  const declared = readValueInfo(info) ?? typeFromHint(info.type?.value.case, settings);
  const { dtype, dims } = declared ?? refuse('input without a type', info.name, path);
  if (settings.text === true) return takeTexts({ name: info.name, dtype, dims }, path);
  if (!isWide(dtype)) throw refuse(`input of type ${dtype}`, info.name, path);
  const shape = shapeOf(dims, info.name, settings.shape, path);
  const batch = typeof dims[0] === 'number' ? dims[0] : null;
  const name = wrap(graph, info.name, dtype, channelsOf(shape, settings, path));
  return { name, dtype: 'float32', shape, batch };
}

/** An input beside the samples. Its first size follows the batch where it is open; others must be known. */
function takeBeside(graph: Graph, info: ValueInfoProto, wanted: boolean, path: string): InputPort {
  const { name } = info;
  const { dtype, dims: declared } = readValueInfo(info) ?? refuse('input without a type', name, path);
  if (wanted && !isWide(dtype)) throw refuse(`input of type ${dtype}`, name, path);
  const dims = declared.map((size, axis) => (axis === 0 && typeof size === 'string' ? BATCH : size));
  if (dims.slice(1).some((size) => typeof size === 'string')) {
    throw unexpected({
      found: `input of shape [${declared.join(', ')}]`,
      at: `"${name}" of ${path}`,
      expected: 'sizes that are known, but for the first',
      remedy: 'Export the model with a fixed shape of this input.',
    });
  }
  if (!wanted) return { name, declared: name, dtype, dims, wanted };
  return { name: wrap(graph, name, dtype, null), declared: name, dtype: 'float32', dims, wanted };
}

/** Puts normalisation and a cast behind an input, where it needs any, and gives the input's name then. */
function wrap(graph: Graph, name: string, dtype: DType, channels: Channels | null): string {
  const { proto } = graph;
  const before = proto.node.length;
  const points = graph.unique('points');
  const last = prepend(graph, points, dtype, channels);
  const made = proto.node.splice(before);
  if (last === points) return name;
  // Only now: what reads the old input shall read the normalised one.
  made.at(-1)!.output[0] = name;
  proto.node.unshift(...made);
  return points;
}

/** One text per sample, in as many axes as the model wants. */
function takeTexts({ name, dtype, dims }: TensorType & { name: string }, path: string): Input {
  const [batch, ...sample] = dims;
  if (dtype !== 'string' || batch === undefined || sample.some((size) => size !== 1)) {
    throw unexpected({
      found: `input of type ${dtype} and shape [${dims.join(', ')}]`,
      at: `"${name}" of ${path}`,
      expected: 'a batch of texts, one for each sample',
      remedy: 'Export the model with such an input, or open it as a model of numbers.',
      code: 'unsupported',
    });
  }
  return { name, dtype, shape: sample.map(Number), batch: typeof batch === 'number' ? batch : null };
}

function typeFromHint(kind: string | undefined, { shape }: ModelSettings): TensorType | undefined {
  return kind === 'tensorType' && shape !== undefined
    ? { dtype: 'float32', dims: [BATCH, ...shape] }
    : undefined;
}

function refuse(found: string, name: string, path: string): never {
  throw unexpected({
    found,
    at: `"${name}" of ${path}`,
    expected: 'a batch of float32, float16 or float64 samples',
    remedy: 'Export the model with such an input.',
    code: 'unsupported',
  });
}

function shapeOf(
  dims: TensorType['dims'],
  name: string,
  hint: ModelSettings['shape'],
  path: string,
): number[] {
  const [batch, ...sample] = dims;
  if (batch === undefined || sample.length === 0 || batch === 0) {
    refuse(`input of shape [${dims.join(', ')}]`, name, path);
  }
  const data = hint?.length === sample.length ? inOrderOf(sample, hint) : [];
  const shape = sample.map((size, axis) => (typeof size === 'number' ? size : (data[axis] ?? 0)));
  const count = [batch, ...shape].reduce<number>(
    (product, size) => product * (typeof size === 'number' ? size : 1),
    1,
  );
  if (count > 0 && count <= LARGEST && shape.every(Number.isInteger)) return shape;
  throw unexpected({
    found: `input of shape [${dims.join(', ')}]`,
    at: `"${name}" of ${path}`,
    expected: 'sizes that are known and reasonable',
    remedy: 'Export the model with a fixed sample shape, or pass data of the right rank.',
  });
}

/** The sizes of the data in the model's order: its channels stand last where the model's sizes tell that they do, or first. */
function inOrderOf(sample: TensorType['dims'], data: readonly number[]): readonly number[] {
  if (data.length !== 3) return data;
  const [a, b, c] = data as [number, number, number];
  const orders = [data, [b, c, a], [c, a, b]];
  const agrees = (order: readonly number[]) =>
    sample.every((size, axis) => typeof size !== 'number' || size === order[axis]);
  // Other channels than the model's: there are still fewer of them than pixels.
  const last = typeof sample[0] !== 'number' && typeof sample[2] === 'number' && a < c;
  return orders.find(agrees) ?? (last ? [b, c, a] : data);
}

/** Appends (points - mean) / std, cast to the type that the model wants, and gives the last name. */
function prepend(
  graph: Graph,
  points: string,
  dtype: TensorType['dtype'],
  channels: Channels | null,
): string {
  let at = points;
  if (channels !== null) {
    const constant = (values: readonly number[]) =>
      graph.constant({ dtype: 'float32', dims: channels.dims, data: Float32Array.from(values) });
    at = graph.node('Div', [graph.node('Sub', [at, constant(channels.mean)]), constant(channels.std)]);
  }
  return dtype === 'float32' ? at : graph.node('Cast', [at], { to: codeOf(dtype) });
}
