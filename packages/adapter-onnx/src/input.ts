import { type Channels, channelsOf, type ModelSettings, unexpected } from '@gauntlet/core';
import { codeOf, type Graph, readValueInfo, type TensorType, writeValueInfo } from '@gauntlet/onnx';
import { BATCH } from './prepared.js';

/** More numbers than any sample has. */
const LARGEST = 2 ** 28;

/** What is known of the samples. */
export interface InputSettings extends ModelSettings {
  /** Whether they are texts; numbers otherwise. */
  readonly text?: boolean;
}

/** The input that samples go into. */
export interface Input {
  readonly name: string;
  /** Its name in the file; the same, unless nodes were put before it. */
  readonly declared: string;
  readonly dtype: 'float32' | 'string';
  readonly shape: readonly number[];
  /** The batch size that the file declares; null where it leaves it open. */
  readonly batch: number | null;
}

/**
 * Makes the graph take one float32 input in raw units: constants that are listed as inputs become constants, the batch axis is
 * named, other open sizes are taken from `settings.shape`, and mean and standard deviation become the first nodes.
 */
export function takeInput(graph: Graph, settings: InputSettings, path: string): Input {
  const { proto } = graph;
  const constants = new Set(proto.initializer.map(({ name }) => name));
  proto.input = proto.input.filter(({ name }) => !constants.has(name));
  const [info] = proto.input;
  if (info === undefined || proto.input.length > 1) {
    throw unexpected({
      found: `${proto.input.length} inputs (${proto.input.map(({ name }) => `"${name}"`).join(', ')})`,
      at: path,
      expected: 'a model with one input, the samples',
      remedy: 'Export the model with every other input fixed.',
      code: 'unsupported',
    });
  }
  const declared = readValueInfo(info) ?? typeFromHint(info.type?.value.case, settings);
  const { dtype, dims } = declared ?? refuse('input without a type', info.name, path);
  if (settings.text === true) return takeTexts(graph, { name: info.name, dtype, dims }, path);
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'float64') {
    throw refuse(`input of type ${dtype}`, info.name, path);
  }
  const shape = shapeOf(dims, info.name, settings.shape, path);
  const batch = typeof dims[0] === 'number' ? dims[0] : null;
  const before = proto.node.length;
  const points = graph.unique('points');
  const last = prepend(graph, points, dtype, channelsOf(shape, settings, path));
  const made = proto.node.splice(before);
  const wrapped = last !== points;
  // Only now: what reads the old input shall read the normalised one.
  if (wrapped) made.at(-1)!.output[0] = info.name;
  proto.node.unshift(...made);
  const name = wrapped ? points : info.name;
  proto.input = [writeValueInfo(name, wrapped ? 'float32' : dtype, [batch ?? BATCH, ...shape])];
  return { name, declared: info.name, dtype: 'float32', shape, batch };
}

/** One text per sample, in as many axes as the model wants. */
function takeTexts(
  { proto }: Graph,
  { name, dtype, dims }: TensorType & { name: string },
  path: string,
): Input {
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
  const shape = sample.map(Number);
  const fixed = typeof batch === 'number' ? batch : null;
  proto.input = [writeValueInfo(name, dtype, [fixed ?? BATCH, ...shape])];
  return { name, declared: name, dtype, shape, batch: fixed };
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
