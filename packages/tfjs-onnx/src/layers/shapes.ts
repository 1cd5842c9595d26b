import { z } from 'zod';
import { dataFormat, margins, sizes, word } from '../json.js';
import { layer, type Value } from '../layer.js';

const alone = z.object({});
const count = z.int().min(1).max(1_000_000);
const same = layer(alone, ({ input }) => input);

/** The first of the two axes of space. */
const spaceAt = (format: 'channelsLast' | 'channelsFirst') => (format === 'channelsFirst' ? 2 : 1);

/** Layers that move numbers, and those that do nothing outside of training. */
export const shapes = {
  Dropout: same,
  SpatialDropout1D: same,
  SpatialDropout2D: same,
  GaussianNoise: same,
  GaussianDropout: same,
  AlphaDropout: same,

  Flatten: layer(z.object({ dataFormat }), ({ node, input: { name, rank } }, { dataFormat }): Value => {
    const order = Array.from({ length: rank }, (_, axis) =>
      axis === 0 ? 0 : axis === rank - 1 ? 1 : axis + 1,
    );
    const last = dataFormat === 'channelsFirst' ? node('Transpose', [name], { perm: order }) : name;
    return { name: node('Flatten', [last], { axis: 1 }), rank: 2 };
  }),
  Reshape: layer(
    z.object({ targetShape: z.array(z.union([z.null(), z.int().min(-1).max(1_000_000)])).max(8) }),
    ({ graph, node, input }, { targetShape }): Value => {
      const target = graph.ints([0, ...targetShape.map((size) => size ?? -1)]);
      return { name: node('Reshape', [input.name, target]), rank: targetShape.length + 1 };
    },
  ),
  Permute: layer(
    z.object({ dims: z.array(z.int().min(1).max(8)).max(8) }),
    ({ node, input: { name, rank } }, { dims }): Value => ({
      name: node('Transpose', [name], { perm: [0, ...dims] }),
      rank,
    }),
  ),
  RepeatVector: layer(z.object({ n: count }), ({ graph, node, input }, { n }): Value => {
    const one = node('Unsqueeze', [input.name, graph.ints([1])]);
    return { name: node('Expand', [one, graph.ints([1, n, 1])]), rank: 3 };
  }),
  ZeroPadding2D: layer(
    z.object({
      padding: margins.default([
        [1, 1],
        [1, 1],
      ]),
      dataFormat,
    }),
    ({ graph, node, input: { name, rank } }, { padding: [rows, columns], dataFormat }): Value => {
      const at = spaceAt(dataFormat);
      const pads = (side: 0 | 1) =>
        Array.from({ length: rank }, (_, axis) => [rows![side]!, columns![side]!][axis - at] ?? 0);
      return { name: node('Pad', [name, graph.ints([...pads(0), ...pads(1)])]), rank };
    },
  ),
  Cropping2D: layer(
    z.object({ cropping: margins, dataFormat }),
    ({ graph, node, input: { name, rank } }, { cropping, dataFormat }): Value => {
      const at = spaceAt(dataFormat);
      const starts = graph.ints(cropping.map(([before]) => before!));
      // Counted from the end; 0 would be the beginning.
      const ends = graph.ints(cropping.map(([, after]) => -after! || Infinity));
      return { name: node('Slice', [name, starts, ends, graph.ints([at, at + 1])]), rank };
    },
  ),
  UpSampling2D: layer(
    z.object({
      size: sizes(2).default([2, 2]),
      interpolation: word('nearest', 'bilinear').default('nearest'),
      dataFormat,
    }),
    ({ graph, node, input: { name, rank } }, { size, interpolation, dataFormat }): Value => {
      const first = dataFormat === 'channelsFirst';
      const scales = graph.constant({ dtype: 'float32', dims: [4], data: Float32Array.of(1, 1, ...size) });
      const channels = first ? name : node('Transpose', [name], { perm: [0, 3, 1, 2] });
      const grown = node('Resize', [channels, '', scales], {
        mode: interpolation === 'nearest' ? 'nearest' : 'linear',
        coordinate_transformation_mode: 'asymmetric',
        nearest_mode: 'floor',
      });
      return { name: first ? grown : node('Transpose', [grown], { perm: [0, 2, 3, 1] }), rank };
    },
  ),
};
