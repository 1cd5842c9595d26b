import { z } from 'zod';
import { dataFormat, onlyLast, padding, sizes } from '../json.js';
import { layer, type Value } from '../layer.js';
import { autoPad, channelsFirst, inChannelsFirst } from './convolutions.js';

/** tfjs goes wrong with channels first of one axis. */
const formatOf = (rank: 1 | 2) => (rank === 1 ? onlyLast : dataFormat);

/** Averages count what lies in the image only, as ONNX does by itself. */
const pool = (op: 'MaxPool' | 'AveragePool', rank: 1 | 2) =>
  layer(
    z.object({
      poolSize: sizes(rank).default(Array<number>(rank).fill(2)),
      strides: sizes(rank).optional(),
      padding,
      dataFormat: formatOf(rank),
    }),
    (call, { poolSize, strides = poolSize, padding, dataFormat }) =>
      inChannelsFirst(call, call.input, dataFormat, (x) =>
        call.node(op, [x], { kernel_shape: poolSize, strides, auto_pad: autoPad(padding) }),
      ),
  );

const globalPool = (op: 'GlobalMaxPool' | 'GlobalAveragePool', rank: 1 | 2) =>
  layer(z.object({ dataFormat: formatOf(rank) }), (call, { dataFormat }): Value => {
    const pooled = call.node(op, [channelsFirst(call, call.input, dataFormat)]);
    return { name: call.node('Flatten', [pooled], { axis: 1 }), rank: 2 };
  });

/** Layers that take the largest or the mean of a window, or of all. */
export const pools = {
  MaxPooling1D: pool('MaxPool', 1),
  MaxPooling2D: pool('MaxPool', 2),
  AveragePooling1D: pool('AveragePool', 1),
  AveragePooling2D: pool('AveragePool', 2),
  GlobalMaxPooling1D: globalPool('GlobalMaxPool', 1),
  GlobalMaxPooling2D: globalPool('GlobalMaxPool', 2),
  GlobalAveragePooling1D: globalPool('GlobalAveragePool', 1),
  GlobalAveragePooling2D: globalPool('GlobalAveragePool', 2),
};
