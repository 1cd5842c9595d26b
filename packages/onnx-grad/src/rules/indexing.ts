import type { Rule, Rules } from '../rule.js';
import { axisOf } from '../value.js';

/** Rows along one axis: brought to the front, added into zeros by ScatterND, and brought back. */
const gather: Rule = ({ x, g, attr, path, ops }) => {
  const [data, indices] = [x(0), x(1)];
  const axis = axisOf(attr.int('axis', 0), data.dims.length, path);
  return [
    () => {
      const rank = data.dims.length;
      const count = indices.dims.length;
      // g: [...before, ...indices, ...after] -> [...indices, ...before, ...after]
      const own = Array.from({ length: count }, (_, i) => axis + i);
      const rest = [...g.dims.keys()].filter((i) => !own.includes(i));
      const updates = ops.transpose(g, [...own, ...rest]);
      const order = [axis, ...[...Array(rank).keys()].filter((i) => i !== axis)];
      const zeros = ops.transpose(ops.full(data, 0), order);
      const added = ops.emit('ScatterND', [zeros, ops.unsqueeze(indices, [count]), updates], {
        reduction: 'add',
      });
      return ops.transpose(
        added,
        order.map((_, i) => order.indexOf(i)),
      );
    },
  ];
};

const gatherElements: Rule = ({ x, g, attr, ops: { emit, full } }) => [
  () => emit('ScatterElements', [full(x(0), 0), x(1), g], { axis: attr.int('axis', 0), reduction: 'add' }),
];

const topK: Rule = ({ x, y, g, attr, ops: { emit, full } }) => [
  () => emit('ScatterElements', [full(x(0), 0), y(1), g], { axis: attr.int('axis', -1) }),
];

/** Ops that pick elements. */
export const picks: Rules = { Gather: gather, GatherElements: gatherElements, TopK: topK };
