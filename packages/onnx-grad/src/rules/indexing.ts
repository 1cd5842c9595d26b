import type { Rule, Rules, Site } from '../rule.js';
import type { Value } from '../value.js';
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

/** What was picked goes back to where the condition held. */
const compress: Rule = ({ x, g, attr, path, ops }) => [
  () => {
    const chosen = ops.emit('NonZero', [x(1)], {}, { dtype: 'int64', dims: [1, g.dims[0] ?? 1] });
    if (attr.has('axis')) {
      const axis = axisOf(attr.int('axis', 0), x(0).dims.length, path);
      return addAlong(ops, g, axis, ops.squeeze(chosen, [0]), x(0));
    }
    const flat = ops.reshapeTo(ops.full(x(0), 0), [-1]);
    return ops.reshape(ops.scatterAdd('ScatterElements', flat, ops.squeeze(chosen, [0]), g, 0), x(0));
  },
];

/** Indices count through the whole result. */
const maxUnpool: Rule = ({ x, g, ops }) => [() => ops.emit('Gather', [ops.reshapeTo(g, [-1]), x(1)])];

/** The values [off, on] get what arrives at the elements that hold them. */
const oneHot: Rule = ({ x, g, attr, ops }) => [
  'none',
  'none',
  () => {
    const ends = ops.cast(ops.ints([0, 1]), g.dtype);
    const on = ops.emit('OneHot', [x(0), x(1), ends], { axis: attr.int('axis', -1) }, g);
    const all = [...g.dims.keys()];
    return ops.concat(
      [ops.sub(1, on), on].map((share) => ops.reshapeTo(ops.sum(ops.mul(g, share), all, false), [1])),
      0,
    );
  },
];

/** Indices of a GatherND with the positions of its batch axes written out, so that ScatterND understands them. */
function withBatches({ x, attr, ops }: Site): Value {
  const indices = ops.cast(x(1), 'int64');
  const batches = attr.int('batch_dims', 0);
  const column = { name: '', dtype: 'int64' as const, dims: [...indices.dims.slice(0, -1), 1] };
  const shape = (axis: number) => ops.emit('Gather', [ops.shape(indices), ops.ints([axis])]);
  const places = Array.from({ length: Math.min(batches, indices.dims.length - 1) }, (_, axis) => {
    const count = ops.squeeze(shape(axis), [0]);
    const positions = ops.emit(
      'Range',
      [ops.int(0), count, ops.int(1)],
      {},
      { dtype: 'int64', dims: [indices.dims[axis]!] },
    );
    const aligned = ops.unsqueeze(
      positions,
      [...column.dims.keys()].filter((i) => i !== axis),
    );
    // [1, .., batch, .., 1] -> the shape of the indices with one column
    const like = ops.slice(indices, indices.dims.length - 1, 0, 1);
    return ops.expand(aligned, like);
  });
  return ops.concat([...places, indices], indices.dims.length - 1);
}

const gatherNd: Rule = (site) => [
  () => site.ops.scatterAdd('ScatterND', site.ops.full(site.x(0), 0), withBatches(site), site.g),
];

/** How one scatter op writes and reads. */
interface Scatter {
  write(data: Value, updates: Value, reduction: string): Value;
  read(data: Value): Value;
}

/**
 * none: what is overwritten gets nothing. add: both get all. mul: the product of the others. max, min: shared evenly among
 * equal candidates, as torch.scatter_reduce has it.
 */
const scatter =
  (scatterOf: (site: Site) => Scatter): Rule =>
  (site) => {
    const { x, y, g, attr, ops, refuse } = site;
    const { mul, div, full, cast, equal } = ops;
    const { write, read } = scatterOf(site);
    const reduction = attr.string('reduction', 'none');
    if (reduction === 'none') return [() => write(g, full(x(2), 0), 'none'), undefined, () => read(g)];
    if (reduction === 'add') return [() => g, undefined, () => read(g)];
    if (reduction === 'mul') {
      return [() => mul(g, write(full(x(0), 1), x(2), 'mul')), undefined, () => div(read(mul(g, y())), x(2))];
    }
    if (reduction !== 'max' && reduction !== 'min') return refuse(`reduction "${reduction}"`);
    const kept = () => cast(equal(x(0), y()), g.dtype);
    const taken = () => cast(equal(x(2), read(y())), g.dtype);
    const share = () => div(g, write(kept(), taken(), 'add'));
    return [() => mul(share(), kept()), undefined, () => mul(read(share()), taken())];
  };

const scatterElements = scatter(({ x, attr, ops }) => {
  const axis = attr.int('axis', 0);
  return {
    write: (data, updates, reduction) =>
      reduction === 'add'
        ? ops.scatterAdd('ScatterElements', data, x(1), updates, axis)
        : ops.emit('ScatterElements', [data, x(1), updates], { axis, reduction }),
    read: (data) => ops.emit('GatherElements', [data, x(1)], { axis }),
  };
});

const scatterNd = scatter(({ x, ops }) => ({
  write: (data, updates, reduction) =>
    reduction === 'add'
      ? ops.scatterAdd('ScatterND', data, x(1), updates)
      : ops.emit('ScatterND', [data, x(1), updates], { reduction }),
  read: (data) => ops.emit('GatherND', [data, x(1)], {}, x(2)),
}));

/** Ops that pick elements and put them somewhere. */
export const picks: Rules = {
  Compress: compress,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  MaxUnpool: maxUnpool,
  OneHot: oneHot,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  TopK: topK,
};
