import type { Graph } from '@gauntlet/onnx';
import { z } from 'zod';
import { dataFormat, onlyLast, padding, sizes } from '../json.js';
import { type Call, layer, permute, type Rearrange, type Value } from '../layer.js';
import { activate, activation } from './activations.js';

const count = z.int().min(1);
const bias = z.boolean().default(true);
/** tfjs knows neither groups nor, for these kinds of layers, dilation: with them, its answers are not those of Keras. */
const groups = z.literal(1).default(1);
const undilated = z.union([z.literal(1), z.array(z.literal(1))]).default(1);

const common = (rank: number) => ({
  kernelSize: sizes(rank),
  strides: sizes(rank).default(Array<number>(rank).fill(1)),
  padding,
  activation,
  useBias: bias,
});
const dilated = (rank: number) => ({ dilationRate: sizes(rank).default(Array<number>(rank).fill(1)) });

type Format = 'channelsLast' | 'channelsFirst';

/** The tensor with its channels where ONNX has them. */
export const channelsFirst = ({ node }: Call, { name, rank }: Value, format: Format): string =>
  format === 'channelsFirst'
    ? name
    : node('Transpose', [name], {
        perm: [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)],
      });

/** Puts the channels where ONNX has them, and what comes out back. */
export function inChannelsFirst(
  call: Call,
  input: Value,
  format: Format,
  body: (x: string) => string,
): Value {
  const { rank } = input;
  const made = body(channelsFirst(call, input, format));
  if (format === 'channelsFirst') return { name: made, rank };
  const perm = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
  return { name: call.node('Transpose', [made], { perm }), rank };
}

/** ONNX's word for tfjs's: of an odd number of rows to add, the last side gets one more. */
export const autoPad = (mode: 'valid' | 'same') => (mode === 'same' ? 'SAME_UPPER' : 'VALID');

interface Window {
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly dilationRate: readonly number[];
  readonly padding: 'valid' | 'same';
}

/** How a window slides. ONNX Runtime fills up by itself without dilation only; with it, tfjs has strides of 1, and what to add is known. */
function sliding({ kernelSize, strides, dilationRate: dilations, padding }: Window) {
  if (padding === 'valid' || dilations.every((rate) => rate === 1)) {
    return { strides, dilations, auto_pad: autoPad(padding) };
  }
  const added = kernelSize.map((rows, axis) => (rows - 1) * dilations[axis]!);
  const pads = [...added.map((rows) => Math.floor(rows / 2)), ...added.map((rows) => Math.ceil(rows / 2))];
  return { strides, dilations, pads };
}

const convolution = (rank: 1 | 2) =>
  layer(
    z.object({
      ...common(rank),
      ...dilated(rank),
      filters: count,
      groups,
      dataFormat: rank === 1 ? onlyLast : dataFormat,
    }),
    (call, config) => {
      const { node, weight, input } = call;
      // [...space, in, out] to [out, in, ...space]
      const order = permute([rank + 1, rank, ...config.kernelSize.keys()]);
      const weights = [
        weight('kernel', [...config.kernelSize, null, config.filters], order),
        ...(config.useBias ? [weight('bias', [config.filters])] : []),
      ];
      const made = inChannelsFirst(call, input, config.dataFormat, (x) =>
        node('Conv', [x, ...weights], sliding(config)),
      );
      return activate(call, made, config.activation);
    },
  );

/** [rows, columns, channels, multiplier] to [channels * multiplier, 1, rows, columns] */
const perChannel: Rearrange = (weight) => {
  const { dims, data } = permute([2, 3, 0, 1])(weight);
  const [channels, multiplier, ...space] = dims;
  return { dims: [channels! * multiplier!, 1, ...space], data };
};

const channelsOf = (graph: Graph, weight: string): number => graph.value(weight)!.dims[0]!;

/** Layers that slide a window of weights. */
export const convolutions = {
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  DepthwiseConv2D: layer(
    z.object({ ...common(2), dataFormat, depthMultiplier: count.default(1), dilationRate: undilated }),
    (call, { kernelSize, strides, depthMultiplier, padding, dataFormat, useBias, activation }) => {
      const { node, weight, graph } = call;
      const weights = [
        weight('depthwise_kernel', [...kernelSize, null, depthMultiplier], perChannel),
        ...(useBias ? [weight('bias', [null])] : []),
      ];
      const made = inChannelsFirst(call, call.input, dataFormat, (x) =>
        node('Conv', [x, ...weights], {
          auto_pad: autoPad(padding),
          strides,
          group: channelsOf(graph, weights[0]!) / depthMultiplier,
        }),
      );
      return activate(call, made, activation);
    },
  ),
  SeparableConv2D: layer(
    z.object({
      ...common(2),
      ...dilated(2),
      filters: count,
      depthMultiplier: count.default(1),
      dataFormat: onlyLast,
    }),
    (call, config) => {
      const { kernelSize, filters, depthMultiplier, useBias, activation } = config;
      const { node, weight, graph } = call;
      const depthwise = weight('depthwise_kernel', [...kernelSize, null, depthMultiplier], perChannel);
      const pointwise = [
        weight('pointwise_kernel', [1, 1, null, filters], permute([3, 2, 0, 1])),
        ...(useBias ? [weight('bias', [filters])] : []),
      ];
      const made = inChannelsFirst(call, call.input, 'channelsLast', (x) => {
        const group = channelsOf(graph, depthwise) / depthMultiplier;
        const each = node('Conv', [x, depthwise], { ...sliding(config), group });
        return node('Conv', [each, ...pointwise]);
      });
      return activate(call, made, activation);
    },
  ),
  Conv2DTranspose: layer(
    z.object({ ...common(2), dataFormat, filters: count, dilationRate: undilated }),
    (call, { kernelSize, strides, filters, padding, dataFormat, useBias, activation }) => {
      const { node, weight } = call;
      const weights = [
        // [rows, columns, out, in] to [in, out, rows, columns]
        weight('kernel', [...kernelSize, filters, null], permute([3, 2, 0, 1])),
        ...(useBias ? [weight('bias', [filters])] : []),
      ];
      // The result has strides times the rows of the input, and what the kernel overhangs where nothing is cut.
      const overhang = kernelSize.map((rows, axis) => rows - strides[axis]!);
      const cut = overhang.map((rows) => (padding === 'same' ? Math.max(rows, 0) : 0));
      const made = inChannelsFirst(call, call.input, dataFormat, (x) =>
        node('ConvTranspose', [x, ...weights], {
          strides,
          pads: [...cut.map((rows) => Math.floor(rows / 2)), ...cut.map((rows) => Math.ceil(rows / 2))],
          output_padding: overhang.map((rows) => Math.max(-rows, 0)),
        }),
      );
      return activate(call, made, activation);
    },
  ),
};
