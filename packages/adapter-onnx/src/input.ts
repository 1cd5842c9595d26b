import { type ModelSettings, unexpected } from '@gauntlet/core';
import { codeOf, type Graph, readValueInfo, type TensorType, writeValueInfo } from '@gauntlet/onnx';
import { BATCH } from './prepared.js';

/** More numbers than any sample has. */
const LARGEST = 2 ** 28;

/** The input that samples go into. */
export interface Input {
  readonly name: string;
  readonly shape: readonly number[];
  /** The batch size that the file declares; null where it leaves it open. */
  readonly batch: number | null;
}

/**
 * Makes the graph take one float32 input in raw units: constants that are listed as inputs become constants, the batch axis is
 * named, other open sizes are taken from `settings.shape`, and mean and standard deviation become the first nodes.
 */
export function takeInput(graph: Graph, settings: ModelSettings, path: string): Input {
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
  return { name, shape, batch };
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
  const fits = hint !== undefined && hint.length === sample.length;
  const shape = sample.map((size, axis) => (typeof size === 'number' ? size : fits ? hint[axis]! : 0));
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

/** The mean and deviation for each channel, and the shape that lines them up with the channel axis. */
interface Channels {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly dims: readonly number[];
}

function channelsOf(shape: readonly number[], settings: ModelSettings, path: string): Channels | null {
  const { mean = [0], std = [1] } = settings;
  const count = Math.max(mean.length, std.length);
  const whole = [mean, std].every((values) => values.length === 1 || values.length === count);
  const usable = mean.every(Number.isFinite) && std.every((value) => Number.isFinite(value) && value > 0);
  // Channels stand first (NCHW) or last (NHWC).
  const axis = count === 1 ? 0 : [0, shape.length - 1].find((each) => shape[each] === count);
  if (!usable || !whole || axis === undefined) {
    throw unexpected({
      found: `mean [${mean}] and standard deviation [${std}]`,
      at: `the settings for ${path}`,
      expected: `one number each, or one per channel of samples [${shape}], and deviations above 0`,
      remedy: 'Set --mean and --std to those that the model was trained with.',
    });
  }
  if (mean.every((value) => value === 0) && std.every((value) => value === 1)) return null;
  const spread = (values: readonly number[]) =>
    Array.from({ length: count }, (_, i) => values[i] ?? values[0]!);
  const dims = [1, ...shape.map((_, each) => (each === axis ? count : 1))];
  return { mean: spread(mean), std: spread(std), dims };
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
