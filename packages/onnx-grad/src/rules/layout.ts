import { fail } from '@gauntlet/onnx';

import type { Rule, Rules } from '../rule.js';
import { axesOf, fixed, shown } from '../value.js';

const passes: Rule = ({ g }) => [() => g];
const reshapes: Rule = ({ x, g, ops: { reshape } }) => [() => reshape(g, x(0))];

/** Without noise a Dropout passes its input; with noise there is no gradient to speak of. */
const dropout: Rule = ({ g, has, constant, refuse }) => [
  () => (has(2) && constant(2)![0] !== 0 ? refuse('training_mode') : g),
  'none',
];

const transpose: Rule = ({ x, g, attr, path, ops }) => {
  const rank = x(0).dims.length;
  const perm = axesOf(attr.ints('perm', [...Array(rank).keys()].reverse()), rank, path);
  return [
    () =>
      ops.transpose(
        g,
        perm.map((_, axis) => perm.indexOf(axis)),
      ),
  ];
};

const tile: Rule = ({ x, g, node, graph, ops }) => [
  () => {
    const repeats = graph.value(node.input[1]!)?.data;
    // [r d, ...] -> [r, d, ...], summed over each r
    const dims = x(0).dims.flatMap((dim, i) => [
      repeats === undefined ? `${node.output[0]}.repeats${i}` : Number(repeats[i] ?? 1),
      dim,
    ]);
    const type = { dtype: g.dtype, dims };
    const paired = () => ops.concat([ops.unsqueeze(x(1), [1]), ops.unsqueeze(ops.shape(x(0)), [1])], 1);
    const split =
      repeats === undefined
        ? ops.emit('Reshape', [g, ops.reshapeTo(paired(), [-1])], {}, type)
        : ops.reshape(g, { name: '', ...type });
    return ops.sum(
      split,
      [...x(0).dims.keys()].map((i) => 2 * i),
      false,
    );
  },
];

/** [N, C, H b, W b] -> [N, C, H, b, W, b] -> blocks before or after the channels */
const depthToSpace: Rule = ({ x, g, attr, path, ops }) => [
  () => {
    const size = attr.int('blocksize', 0);
    const [n, channels, height, width] = x(0).dims;
    if (x(0).dims.length !== 4 || !(size >= 1)) {
      fail(
        'bad-shape',
        `Unexpected shape ${shown(x(0).dims)} with blocksize ${size} at ${path}, expected 4 axes and blocks of at least 1. Export the model again.`,
      );
    }
    const inner = fixed(channels!, path) / size ** 2;
    const split = ops.reshape(g, {
      name: '',
      dtype: g.dtype,
      dims: [n!, inner, height!, size, width!, size],
    });
    const perm = attr.string('mode', 'DCR') === 'CRD' ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4];
    return ops.reshape(ops.transpose(split, perm), x(0));
  },
];

/** Ops that move elements without changing them. */
export const layouts: Rules = {
  Identity: passes,
  Dropout: dropout,
  Cast: passes,
  CastLike: ({ g }) => [() => g, 'none'],
  Expand: passes,
  Flatten: reshapes,
  Reshape: reshapes,
  Squeeze: reshapes,
  Unsqueeze: reshapes,
  Transpose: transpose,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: ({ x, g, attr, ops: { emit } }) => [
    () => emit('DepthToSpace', [g], { blocksize: attr.int('blocksize', 1) }, x(0)),
  ],
  Trilu: ({ x, g, has, attr, ops: { emit } }) => [
    () => emit('Trilu', [g, has(1) ? x(1) : undefined], { upper: attr.int('upper', 1) }, g),
  ],
  CumSum: ({ x, g, attr, ops: { emit } }) => [
    () =>
      emit('CumSum', [g, x(1)], { exclusive: attr.int('exclusive', 0), reverse: 1 - attr.int('reverse', 0) }),
  ],
  // Cutting and padding put what is left over at the same ends, so each undoes the other.
  CenterCropPad: ({ x, g, attr, path, ops }) => [
    () => {
      const rank = x(0).dims.length;
      const axes = axesOf(attr.ints('axes', [...Array(rank).keys()]), rank, path);
      const sizes = ops.emit('Gather', [ops.shape(x(0)), ops.ints(axes)]);
      return ops.emit('CenterCropPad', [g, sizes], { axes }, x(0));
    },
  ],
  ReverseSequence: ({ x, g, attr, ops: { emit } }) => [
    () => {
      const axes = { batch_axis: attr.int('batch_axis', 1), time_axis: attr.int('time_axis', 0) };
      return emit('ReverseSequence', [g, x(1)], axes, g);
    },
  ],
};
