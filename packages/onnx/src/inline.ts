import { clone, create } from '@bufbuild/protobuf';

import { attributesOf, nodePath } from './attributes.js';
import { fail } from './errors.js';
import { Graph } from './graph.js';
import { opsetOf } from './model.js';
import type { FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto } from './onnx_pb.js';
import { NodeProtoSchema, OperatorSetIdProtoSchema, TensorProtoSchema } from './onnx_pb.js';
import type { Tensor } from './tensor.js';
import { readTensor } from './tensor.js';

// Loops longer than this stay loops; deeper nesting than this is a function that calls itself.
const LONGEST_LOOP = 1024;
const DEEPEST = 200;
const MOST_NODES = 200_000;

type Names = Map<string, string>;

/** What the conversions share: constants seen so far, fresh names, and where initialisers go. */
interface Work {
  readonly functions: ReadonlyMap<string, FunctionProto>;
  unique(hint: string): string;
  constant(name: string): Tensor | undefined;
  initialise(proto: TensorProto, name: string): void;
}

/**
 * Writes out, in place, what a graph holds inside its nodes: calls of the model's own functions, branches whose condition is
 * constant, and loops whose number of rounds is. Anything else stays. Throws `bad-graph` for a function that calls itself.
 */
export function inline(model: ModelProto): ModelProto {
  const names = new Graph(model);
  const { proto } = names;
  const constants = new Map<string, TensorProto>();
  for (const initializer of proto.initializer) constants.set(initializer.name, initializer);
  for (const { name } of proto.input) constants.delete(name);
  const work: Work = {
    functions: new Map(model.functions.map((body) => [keyOf(body.domain, body.name, body.overload), body])),
    unique: (hint) => names.unique(hint || 'tensor'),
    constant: (name) => {
      const found = constants.get(name);
      return found === undefined || found.externalData.length > 0 ? undefined : readTensor(found);
    },
    initialise(tensor, name) {
      const copy = clone(TensorProtoSchema, tensor);
      copy.name = name;
      constants.set(name, copy);
      proto.initializer.push(copy);
    },
  };
  const done: NodeProto[] = [];
  const waiting = proto.node.toReversed();
  const depths = new WeakMap<NodeProto, number>();
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const parts = written(node, work);
    const depth = (depths.get(node) ?? 0) + 1;
    if (parts === undefined) done.push(node);
    for (const part of parts?.reverse() ?? []) {
      depths.set(part, depth);
      waiting.push(part);
    }
    const value = node.opType === 'Constant' ? attributesOf(node).tensor('value') : undefined;
    if (value !== undefined && node.output[0]) constants.set(node.output[0], value);
    if (depth > DEEPEST || done.length + waiting.length > MOST_NODES) {
      fail(
        'bad-graph',
        `Unexpected nesting of ${depth} levels and ${done.length} nodes at ${nodePath(node)}, expected functions that do not call themselves. Export the model again.`,
      );
    }
  }
  proto.node = done;
  for (const { opsetImport } of model.functions) importAll(model, opsetImport);
  model.functions = [];
  return model;
}

const keyOf = (domain: string, name: string, overload: string) => `${domain}\n${name}\n${overload}`;

/** The nodes that stand for a node; undefined for one that stays. */
function written(node: NodeProto, work: Work): NodeProto[] | undefined {
  const body = work.functions.get(keyOf(node.domain, node.opType, node.overload));
  if (body !== undefined) return call(node, body, work);
  if (node.domain !== '') return undefined;
  if (node.opType === 'If') return branch(node, work);
  return node.opType === 'Loop' ? rounds(node, work) : undefined;
}

function call(node: NodeProto, body: FunctionProto, work: Work): NodeProto[] {
  const names: Names = new Map(body.input.map((name, i) => [name, node.input[i] ?? '']));
  body.output.forEach((name, i) => names.set(name, node.output[i] || work.unique(name)));
  const given = new Map(
    [...body.attributeProto, ...node.attribute].map((attribute) => [attribute.name, attribute]),
  );
  // An output that is an input, or that nobody makes, needs a node of its own.
  const passed = body.output.filter((name) => body.input.includes(name));
  const copies = passed.map((name) => identity(node.input[body.input.indexOf(name)] ?? '', names.get(name)!));
  for (const name of passed) names.set(name, node.input[body.input.indexOf(name)] ?? '');
  const nodes = body.node.map((inner) => {
    const copy = renamed(inner, names, work);
    copy.attribute = copy.attribute.flatMap((attribute) => {
      if (attribute.refAttrName === '') return [attribute];
      const value = given.get(attribute.refAttrName);
      return value === undefined ? [] : [{ ...value, name: attribute.name }];
    });
    return copy;
  });
  return [...nodes, ...copies];
}

function branch(node: NodeProto, work: Work): NodeProto[] | undefined {
  const condition = work.constant(node.input[0] ?? '')?.data[0];
  if (condition === undefined) return undefined;
  const body = attributesOf(node).graph(Number(condition) !== 0 ? 'then_branch' : 'else_branch');
  return body && opened(body, [], node.output, work);
}

/** Loop(rounds, condition, ...carried) -> (...carried, ...collected), for a condition that never changes. */
function rounds(node: NodeProto, work: Work): NodeProto[] | undefined {
  const body = attributesOf(node).graph('body');
  const trip = work.constant(node.input[0] ?? '')?.data[0];
  const start = node.input[1] ? work.constant(node.input[1])?.data[0] : 1;
  if (body === undefined || trip === undefined || start === undefined || !runsOn(body)) return undefined;
  const count = Number(start) === 0 ? 0 : Math.max(0, Number(trip));
  const carried = node.input.length - 2;
  const collected = body.output.length - 1 - carried;
  if (count > LONGEST_LOOP || (count === 0 && collected > 0) || body.input.length !== carried + 2)
    return undefined;
  const nodes: NodeProto[] = [];
  const rows: string[][] = Array.from({ length: collected }, () => []);
  let state = node.input.slice(2);
  const flag = work.unique('condition');
  work.initialise(create(TensorProtoSchema, { dataType: 9, rawData: Uint8Array.of(1) }), flag);
  const axis = work.unique('axis');
  work.initialise(int64(0, [1n]), axis);
  for (let i = 0; i < count; i++) {
    const round = work.unique('round');
    work.initialise(int64(i, []), round);
    const outputs = body.output.map(({ name }) => work.unique(name));
    nodes.push(...opened(body, [round, flag, ...state], outputs, work));
    state = outputs.slice(1, 1 + carried);
    outputs.slice(1 + carried).forEach((name, k) => {
      const row = work.unique(name);
      nodes.push(create(NodeProtoSchema, { opType: 'Unsqueeze', input: [name, axis], output: [row] }));
      rows[k]!.push(row);
    });
  }
  state.forEach((name, k) => node.output[k] && nodes.push(identity(name, node.output[k])));
  rows.forEach((row, k) => {
    const output = node.output[carried + k];
    const attribute = [{ name: 'axis', type: 2 as const, i: 0n }];
    if (output)
      nodes.push(create(NodeProtoSchema, { opType: 'Concat', input: row, output: [output], attribute }));
  });
  return nodes;
}

/** Whether a loop's body hands its condition on as it is, or a constant true. */
function runsOn(body: GraphProto): boolean {
  let name: string | undefined = body.output[0]?.name;
  for (let hops = 0; hops <= body.node.length && name !== undefined; hops++) {
    if (name === body.input[1]?.name) return true;
    const maker = body.node.find(({ output }) => output.includes(name!));
    const value =
      maker === undefined
        ? body.initializer.find((proto) => proto.name === name)
        : attributesOf(maker).tensor('value');
    const known = maker === undefined || maker.opType === 'Constant' ? value : undefined;
    if (known !== undefined) return Number(readTensor(known).data[0]) !== 0;
    name = maker?.opType === 'Identity' ? maker.input[0] : undefined;
  }
  return false;
}

/** The nodes of a subgraph with its inputs and outputs under outer names. */
function opened(
  body: GraphProto,
  inputs: readonly string[],
  outputs: readonly string[],
  work: Work,
): NodeProto[] {
  const names: Names = new Map(body.input.map(({ name }, i) => [name, inputs[i] ?? '']));
  for (const proto of body.initializer) {
    const name = work.unique(proto.name);
    names.set(proto.name, name);
    work.initialise(proto, name);
  }
  const nodes = body.node.map((inner) => renamed(inner, names, work));
  // Outputs that are inputs, initialisers or captures of the body have no node that could be renamed.
  const copies = body.output.flatMap(({ name }, i) =>
    outputs[i] ? [identity(names.get(name) ?? name, outputs[i])] : [],
  );
  return [...nodes, ...copies];
}

/** A copy of a node under outer names; what it makes gets fresh ones, unless they are given. */
function renamed(node: NodeProto, names: Names, work: Work): NodeProto {
  const copy = clone(NodeProtoSchema, node);
  for (const name of node.output) if (name !== '' && !names.has(name)) names.set(name, work.unique(name));
  const outer = (name: string) => names.get(name) ?? name;
  copy.input = node.input.map(outer);
  copy.output = node.output.map(outer);
  copy.attribute.forEach(({ g, graphs }) =>
    [...(g === undefined ? [] : [g]), ...graphs].forEach((graph) => substitute(graph, outer)),
  );
  return copy;
}

/** Renames what a subgraph captures. ONNX forbids names that hide outer ones, so every occurrence is meant. */
function substitute(graph: GraphProto, outer: (name: string) => string): void {
  for (const node of graph.node) {
    node.input = node.input.map(outer);
    for (const { g, graphs } of node.attribute) {
      [...(g === undefined ? [] : [g]), ...graphs].forEach((inner) => substitute(inner, outer));
    }
  }
  for (const info of graph.output) info.name = outer(info.name);
}

const identity = (input: string, output: string): NodeProto =>
  create(NodeProtoSchema, { opType: 'Identity', input: [input], output: [output] });

const int64 = (value: number, dims: bigint[]): TensorProto =>
  create(TensorProtoSchema, {
    dataType: 7,
    dims,
    rawData: new Uint8Array(BigInt64Array.of(BigInt(value)).buffer),
  });

function importAll(model: ModelProto, imports: ModelProto['opsetImport']): void {
  for (const { domain, version } of imports) {
    const known = model.opsetImport.some((entry) => entry.domain === domain);
    if (!known && domain !== 'ai.onnx')
      model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain, version }));
  }
  opsetOf(model);
}
