import type { Rule, Rules, Site } from '../rule.js';
import { countAlong } from './reduce.js';
import { whenPositive } from './masks.js';

/** A Relu whose result only one MaxPool reads is masked after the pool, where the tensor is smaller: the largest of a window is positive just if its input was. */
export function maskedByPool({ reader, graph }: Site, name: string): boolean {
  return graph.producer(name)?.opType === 'Relu' && reader(name)?.opType === 'MaxPool';
}

/** The gradient goes to the first largest element of each window. */
const maxPool: Rule = (site) => {
  const { node, g, x, y, ops, graph } = site;
  return [
    () => {
      const indices = { name: graph.addOutput(node, 1), dtype: 'int64', dims: y().dims } as const;
      const arriving = maskedByPool(site, node.input[0]!) ? whenPositive(site, y(), g) : g;
      // Indices count through the whole tensor, so the scatter works on one axis.
      const flat = ops.reshapeTo(ops.full(x(0), 0), [-1]);
      const inputs = [flat, ops.reshapeTo(indices, [-1]), ops.reshapeTo(arriving, [-1])];
      return ops.reshape(ops.emit('ScatterElements', inputs, { axis: 0, reduction: 'add' }), x(0));
    },
  ];
};

const spatial = (x: { dims: readonly unknown[] }) => [...x.dims.keys()].slice(2);

const globalAveragePool: Rule = (site) => [
  () => site.ops.div(site.g, countAlong(site, site.x(0), spatial(site.x(0)))),
];

/** Pools. */
export const pools: Rules = { MaxPool: maxPool, GlobalAveragePool: globalAveragePool };
