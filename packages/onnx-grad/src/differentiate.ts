import type { Graph, NodeProto, TensorType } from '@gauntlet/onnx';
import { BASE_OPSET, fail, isFloat, nodePath, sortNodes } from '@gauntlet/onnx';

import { inferTypes } from './infer.js';
import { createOps, type Ops } from './ops.js';
import { influencedBy, lastCut, nameOf, readersOf } from './paths.js';
import type { Lowering, Rule } from './rule.js';
import { RULES } from './rules/index.js';
import { pixels, sumOfPhases } from './rules/phases.js';
import type { Arrived } from './site.js';
import { fit, siteOf, valueOf } from './site.js';
import type { Phases, Value } from './value.js';
import { prune, throughOf, writeOut } from './write-out.js';

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
  /** How gradients pass what rounds to integers, as QuantizeLinear does: as if nothing were rounded, or not at all (the true derivative). Default: straight-through. */
  readonly quantisation?: 'straight-through' | 'zero';
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
  graph.nameSizes(shapes);
  const ops = createOps(graph, shapes);
  const value = (name: string, path: string): Value => valueOf(name, shapes, path);
  const own = graph.proto.node.flatMap(({ output }) => output);
  const putBack = writeOut(graph, options, { graph, ops, lowering, value });
  const nodes = [...graph.proto.node];
  const influenced = influencedBy(wrt, nodes, shapes, throughOf(options));
  const readers = readersOf(nodes, [of, ...wrt]);
  const target = value(of, `"${of}"`);
  if (!isFloat(target.dtype)) {
    fail(
      'bad-type',
      `Unexpected ${target.dtype} tensor "${of}" to differentiate, expected floats. Name another tensor.`,
    );
  }

  const levels = levelsOf(value, influenced, ops);
  const arrived = arrivalsOf(graph, ops);
  arrived.add(of, seed === undefined ? ops.full(target, 1) : { ...target, name: seed });

  for (const node of nodes.reverse()) {
    if (!node.output.some((name) => influenced.has(name) && arrived.has(name))) continue;
    const path = nodePath(node);
    const rule = ruleOf(node, path);
    const site = siteOf({ node, path, graph, ops, lowering, arrived, value: levels, readers });
    const recipes = rule(site);
    node.input.forEach((name, i) => {
      if (!influenced.has(name)) return;
      const recipe = recipes[i] ?? site.refuse(`gradient of input ${i} ("${name}")`);
      if (recipe === 'none') return;
      const made = recipe();
      arrived.add(name, isWhole(made) ? fit(made, value(name, path), ops, path) : made);
    });
  }

  const reached = wrt.some(arrived.has);
  if (!reached && unreached === 'refuse') failPath(options, nodes.reverse(), influenced);
  const found = new Map(
    wrt.map((name) => [name, (arrived.sum(name) ?? ops.full(value(name, `"${name}"`), 0)).name]),
  );
  putBack();
  prune(graph, [...own, ...found.values()]);
  return found;
}

/** Rules see integers that count as smooth as floats. */
function levelsOf(
  value: (name: string, path: string) => Value,
  influenced: ReadonlySet<string>,
  ops: Ops,
): (name: string, path: string) => Value {
  const known = new Map<string, Value>();
  return (name, path) => {
    const own = value(name, path);
    if (isFloat(own.dtype) || !influenced.has(name)) return own;
    const level = known.get(name) ?? ops.cast(own, 'float32');
    known.set(name, level);
    return level;
  };
}

/** Gathers gradients by tensor; the first who asks for one has its parts summed. */
function arrivalsOf(graph: Graph, ops: Ops): Arrived & { add(name: string, part: Value | Phases): void } {
  const parts = new Map<string, readonly (Value | Phases)[]>();
  const sums = new Map<string, Value>();
  return {
    has: (name) => parts.has(name) || sums.has(name),
    add(name, part) {
      parts.set(name, [...(parts.get(name) ?? []), part]);
    },
    phases(name) {
      const split = (parts.get(name) ?? []).filter((part): part is Phases => !isWhole(part));
      const [first] = split;
      if (first === undefined || split.length < parts.get(name)!.length) return undefined;
      if (split.some(({ stride }) => stride !== first.stride)) return undefined;
      const sum = sumOfPhases(ops, split);
      parts.set(name, [sum]);
      return sum;
    },
    sum(name) {
      const own = parts.get(name);
      if (own === undefined) return sums.get(name);
      const sum = ops.total(laidOut(ops, own));
      graph.annotate(sum.name, sum);
      parts.delete(name);
      sums.set(name, sum);
      return sum;
    },
  };
}

/** Gradients as images; those by phases of one stride are added before they are laid out. */
function laidOut(ops: Ops, parts: readonly (Value | Phases)[]): Value[] {
  const split = parts.filter((part): part is Phases => !isWhole(part));
  const strides = [...new Set(split.map(({ stride }) => stride))];
  return [
    ...parts.filter(isWhole),
    ...strides.map((own) =>
      pixels(
        ops,
        sumOfPhases(
          ops,
          split.filter(({ stride }) => stride === own),
        ),
      ),
    ),
  ];
}

const isWhole = (part: Value | Phases): part is Value => 'name' in part;

function ruleOf(node: NodeProto, path: string): Rule {
  const op = nameOf(node);
  const rule = Object.hasOwn(RULES, op) ? RULES[op] : undefined;
  if (rule !== undefined) return rule;
  return fail(
    'no-rule',
    `Unexpected op ${op} at ${path}, expected one with a gradient rule. Use attacks that need scores or labels only, or export the model without this op.`,
  );
}

function failPath(
  { of, wrt }: Differentiation,
  nodes: readonly NodeProto[],
  influenced: ReadonlySet<string>,
): never {
  const names = wrt.map((name) => `"${name}"`).join(', ');
  const cut = lastCut(of, nodes, influenced);
  const remedy = 'Use attacks that need scores or labels only, or name another tensor.';
  return fail(
    'no-path',
    cut === undefined
      ? `Unexpected tensor "${of}" at the end, expected one that depends smoothly on ${names}. ${remedy}`
      : `Unexpected op ${cut.opType} at ${nodePath(cut)}, expected one that lets a gradient through to ${names}: its derivative is zero or none. ${remedy}`,
  );
}
