import type { Dim, Graph, NodeProto, TensorType } from '@gauntlet/onnx';
import {
  attributesOf,
  BASE_OPSET,
  fail,
  isFloat,
  nodePath,
  numbersOf,
  readsOf,
  sortNodes,
} from '@gauntlet/onnx';

import { inferTypes } from './infer.js';
import { createOps } from './ops.js';
import type { Lowering, Rule, Site } from './rule.js';
import { CUT, RULES } from './rules/index.js';
import type { Value } from './value.js';
import { shown } from './value.js';

/** What is differentiated, and by what. */
export interface Differentiation {
  /** The tensor to differentiate: a loss per sample `[N]`, or any float tensor. */
  readonly of: string;
  /** Graph inputs, initialisers or inner tensors. */
  readonly wrt: readonly string[];
  /** Cotangent of `of`, a tensor of its shape; ones when left out. */
  readonly seed?: string;
  /** Types of the graph's tensors; those that follow from others may be missing. New tensors are added. */
  readonly shapes: Map<string, TensorType>;
  readonly lowering?: Lowering;
  /** What to do when nothing of `wrt` has a differentiable path to `of`: refuse, or give zeros. Default: refuse. */
  readonly unreached?: 'refuse' | 'zeros';
}

/**
 * Appends to the graph the nodes that compute the gradient of `of` (times the seed) with respect to each tensor of `wrt`, and gives
 * the names of the results. A tensor that does not influence `of` gets zeros. The walk is linear in the number of nodes.
 * Throws OnnxError: `no-rule` (op without a rule on the path), `no-path` (nothing of `wrt` has a differentiable path to `of`),
 * `unknown-shape`, `unsupported-opset` (call `upgrade` first), and the codes for malformed graphs.
 */
export function differentiate(graph: Graph, options: Differentiation): Map<string, string> {
  const { of, wrt, seed, shapes, lowering = 'blocked', unreached = 'refuse' } = options;
  if (graph.opset < BASE_OPSET) {
    fail(
      'unsupported-opset',
      `Unexpected operator set ${graph.opset} at the model, expected ${BASE_OPSET} or newer. Call upgrade(model) first.`,
    );
  }
  sortNodes(graph.proto);
  inferTypes(graph, shapes);
  const ops = createOps(graph);
  const nodes = [...graph.proto.node];
  const influenced = influencedBy(wrt, nodes, shapes);
  const readers = readersOf(nodes, [of, ...wrt]);
  const value = (name: string, path: string): Value => valueOf(name, shapes, path);
  const target = value(of, `"${of}"`);
  if (!isFloat(target.dtype)) {
    fail(
      'bad-type',
      `Unexpected ${target.dtype} tensor "${of}" to differentiate, expected floats. Name another tensor.`,
    );
  }

  const arrived = new Map<string, Value[]>([
    [of, [seed === undefined ? ops.full(target, 1) : { ...target, name: seed }]],
  ]);
  const settled = new Map<string, Value>();
  const settle = (name: string): Value | undefined => {
    const parts = arrived.get(name);
    if (parts === undefined) return settled.get(name);
    const total = parts.length === 1 ? parts[0]! : ops.emit('Sum', parts);
    if (parts.length > 1) graph.annotate(total.name, total);
    arrived.delete(name);
    settled.set(name, total);
    return total;
  };

  for (const node of nodes.reverse()) {
    if (!node.output.some((name) => influenced.has(name) && arrived.has(name))) continue;
    const path = nodePath(node);
    const rule = ruleOf(node, path);
    const gradients = node.output.map((name) => settle(name));
    const recipes = rule(siteOf({ node, path, graph, ops, lowering, gradients, value, readers }));
    node.input.forEach((name, i) => {
      const recipe = influenced.has(name) ? recipes[i] : undefined;
      if (recipe === undefined) return;
      const part = fit(recipe(), value(name, path), ops, path);
      const parts = arrived.get(name);
      if (parts === undefined) arrived.set(name, [part]);
      else parts.push(part);
    });
  }

  const reached = wrt.some((name) => arrived.has(name) || settled.has(name));
  if (!reached && unreached === 'refuse') failPath(of, wrt);
  return new Map(wrt.map((name) => [name, (settle(name) ?? ops.full(value(name, `"${name}"`), 0)).name]));
}

/** The tensors that a change of `wrt` can move smoothly: forward from `wrt`, through float tensors, up to ops whose derivative is zero. */
function influencedBy(
  wrt: readonly string[],
  nodes: readonly NodeProto[],
  shapes: ReadonlyMap<string, TensorType>,
): ReadonlySet<string> {
  const influenced = new Set(wrt);
  for (const node of nodes) {
    if (node.domain === '' && CUT.has(node.opType)) continue;
    if (!readsOf(node).some((name) => influenced.has(name))) continue;
    for (const name of node.output) {
      const type = shapes.get(name);
      if (name !== '' && (type === undefined || isFloat(type.dtype))) influenced.add(name);
    }
  }
  return influenced;
}

/** The nodes that read each tensor; an end of the walk counts as a reader that is no node. */
function readersOf(
  nodes: readonly NodeProto[],
  ends: readonly string[],
): ReadonlyMap<string, readonly (NodeProto | undefined)[]> {
  const readers = new Map<string, (NodeProto | undefined)[]>(ends.map((name) => [name, [undefined]]));
  for (const node of nodes) {
    for (const name of readsOf(node)) {
      const known = readers.get(name);
      if (known === undefined) readers.set(name, [node]);
      else known.push(node);
    }
  }
  return readers;
}

function ruleOf(node: NodeProto, path: string): Rule {
  const rule = node.domain === '' && Object.hasOwn(RULES, node.opType) ? RULES[node.opType] : undefined;
  if (rule !== undefined) return rule;
  const op = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
  return fail(
    'no-rule',
    `Unexpected op ${op} at ${path}, expected one with a gradient rule. Use attacks that need scores or labels only, or export the model without this op.`,
  );
}

interface SiteParts extends Pick<Site, 'node' | 'path' | 'graph' | 'ops' | 'lowering'> {
  readonly gradients: readonly (Value | undefined)[];
  readonly readers: ReadonlyMap<string, readonly (NodeProto | undefined)[]>;
  value(name: string, path: string): Value;
}

function siteOf({ node, path, graph, ops, lowering, gradients, readers, value }: SiteParts): Site {
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
  const gradient = (i: number) => gradients[i] ?? ops.full(y(i), 0);
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
    reached: (i) => gradients[i] !== undefined,
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
function fit(
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
  fitted = cast(fitted, like.dtype);
  // Names of unknown sizes are trusted: two names may stand for one size.
  const differs = (dim: Dim, axis: number) =>
    typeof dim === 'number' && typeof like.dims[axis] === 'number' && dim !== like.dims[axis];
  if (fitted.dims.length !== like.dims.length || fitted.dims.some(differs)) {
    fail(
      'bad-shape',
      `Unexpected shape ${shown(gradient.dims)} of a gradient at ${path}, expected ${shown(like.dims)}. Export the model again.`,
    );
  }
  if (fitted.name !== like.name) graph.annotate(fitted.name, like);
  return { ...like, name: fitted.name };
}

function valueOf(name: string, shapes: ReadonlyMap<string, TensorType>, path: string): Value {
  const type = shapes.get(name);
  if (type !== undefined) return { name, dtype: type.dtype, dims: type.dims };
  return fail(
    'unknown-shape',
    `Unexpected tensor "${name}" of unknown shape at ${path}, expected a known one. Learn the shapes from a run, or add value_info to the model.`,
  );
}

function failPath(of: string, wrt: readonly string[]): never {
  return fail(
    'no-path',
    `Unexpected constant "${of}", expected a tensor that depends smoothly on ${wrt.map((name) => `"${name}"`).join(', ')}. Use attacks that need scores or labels only, or name another tensor.`,
  );
}
