import type { Dim, NodeProto, TensorType } from '@gauntlet/onnx';
import { attributesOf, fail, isFloat, numbersOf } from '@gauntlet/onnx';

import type { Site } from './rule.js';
import type { Phases, Value } from './value.js';
import { shown } from './value.js';

/** The gradients that have arrived at tensors. */
export interface Arrived {
  has(name: string): boolean;
  /** Their sum; undefined if nothing has. */
  sum(name: string): Value | undefined;
  /** Their sum by phases, if all of them are by phases of one stride. */
  phases(name: string): Phases | undefined;
}

/** What a site is made from. */
export interface SiteParts extends Pick<Site, 'node' | 'path' | 'graph' | 'ops' | 'lowering'> {
  readonly arrived: Arrived;
  readonly readers: ReadonlyMap<string, readonly (NodeProto | undefined)[]>;
  value(name: string, path: string): Value;
}

/** The view of a node that its rule gets. */
export function siteOf({ node, path, graph, ops, lowering, arrived, readers, value }: SiteParts): Site {
  const has = (i: number) => node.input[i] !== undefined && node.input[i] !== '';
  const x = (i: number) =>
    has(i)
      ? value(node.input[i]!, path)
      : fail(
          'bad-node',
          `Unexpected missing input ${i} at ${path}, expected a tensor. Export the model again.`,
        );
  const y = (i = 0) =>
    node.output[i]
      ? value(node.output[i], path)
      : fail(
          'bad-node',
          `Unexpected missing output ${i} at ${path}, expected a tensor. Export the model again.`,
        );
  const gradient = (i: number) => arrived.sum(node.output[i] ?? '') ?? ops.full(y(i), 0);
  const refuse = (what: string): never =>
    fail(
      'no-rule',
      `Unexpected ${what} at ${path}, expected a case with a gradient rule. Use attacks that need scores or labels only, or export the model without it.`,
    );
  return {
    node,
    path,
    graph,
    ops,
    lowering,
    attr: attributesOf(node),
    get g() {
      return gradient(0);
    },
    gradient,
    reached: (i) => arrived.has(node.output[i] ?? ''),
    phases: () => arrived.phases(node.output[0]!),
    has,
    x,
    y,
    constant(i) {
      if (!has(i)) return undefined;
      const tensor = graph.value(node.input[i]!);
      return tensor === undefined
        ? refuse(`input "${node.input[i]}" that is computed at run time`)
        : numbersOf(tensor);
    },
    reader(name) {
      const all = readers.get(name) ?? [];
      return all.length === 1 ? all[0] : undefined;
    },
    refuse,
  };
}

/** Brings a gradient to the type of its tensor: sums over broadcast axes, widens smaller ones, and writes the shape down. */
export function fit(
  gradient: Value,
  like: Value,
  { sum, reshape, expand, graph, cast }: Site['ops'],
  path: string,
): Value {
  const extra = gradient.dims.length - like.dims.length;
  const axes = gradient.dims.flatMap((dim, axis) => {
    const wanted = like.dims[axis - extra];
    return axis < extra || (wanted === 1 && dim !== 1) ? [axis] : [];
  });
  let fitted = sum(gradient, axes);
  if (extra > 0) fitted = reshape(fitted, like);
  if (extra < 0 || fitted.dims.some((dim, axis) => dim === 1 && like.dims[axis] !== 1))
    fitted = expand(fitted, like);
  // Integers that count as smooth have gradients in floats.
  const dtype = isFloat(like.dtype) ? like.dtype : 'float32';
  fitted = cast(fitted, dtype);
  // Names of unknown sizes are trusted: two names may stand for one size.
  const differs = (dim: Dim, axis: number) =>
    typeof dim === 'number' && typeof like.dims[axis] === 'number' && dim !== like.dims[axis];
  if (fitted.dims.length !== like.dims.length || fitted.dims.some(differs)) {
    fail(
      'bad-shape',
      `Unexpected shape ${shown(gradient.dims)} of a gradient at ${path}, expected ${shown(like.dims)}. Export the model again.`,
    );
  }
  const type = { dtype, dims: like.dims };
  graph.annotate(fitted.name, type);
  return { ...type, name: fitted.name };
}

/** A tensor with its type. Throws `unknown-shape` if it has none. */
export function valueOf(name: string, shapes: ReadonlyMap<string, TensorType>, path: string): Value {
  const type = shapes.get(name);
  if (type !== undefined) return { name, dtype: type.dtype, dims: type.dims };
  return fail(
    'unknown-shape',
    `Unexpected tensor "${name}" of unknown shape at ${path}, expected a known one. Learn the shapes from a run, or add value_info to the model.`,
  );
}
