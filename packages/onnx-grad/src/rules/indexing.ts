import type { Rule, Rules } from '../rule.js';
import { axisOf } from '../value.js';
import { addAlong, place } from './placing.js';

const gather: Rule = ({ x, g, attr, path, ops, graph, node }) => {
  const axis = axisOf(attr.int('axis', 0), x(0).dims.length, path);
  return [
    () => {
      const size = x(0).dims[axis]!;
      const only = graph.value(node.input[1]!)?.data;
      if (only?.length !== 1 || typeof size !== 'number') return addAlong(ops, g, axis, x(1), x(0));
      // One element of a known axis is put back by padding: [...before, ...ones, ...after] -> [...before, 1, ...after]
      const at = Number(only[0]);
      const slice = ops.reshape(g, { ...x(0), dims: x(0).dims.with(axis, 1) });
      return place(ops, slice, axis, at < 0 ? at + size : at, 1, size, path);
    },
  ];
};

const gatherElements: Rule = ({ x, g, attr, ops: { scatterAdd, full } }) => [
  () => scatterAdd('ScatterElements', full(x(0), 0), x(1), g, attr.int('axis', 0)),
];

const topK: Rule = ({ x, y, g, attr, ops: { emit, full } }) => [
  () => emit('ScatterElements', [full(x(0), 0), y(1), g], { axis: attr.int('axis', -1) }),
];

/** Ops that pick elements. */
export const picks: Rules = { Gather: gather, GatherElements: gatherElements, TopK: topK };
