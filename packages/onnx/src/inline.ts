import { clone, create } from '@bufbuild/protobuf';

import { attributesOf, nodePath } from './attributes.js';
import { fail } from './errors.js';
import { Graph } from './graph.js';
import { opsetOf } from './model.js';
import type { FunctionProto, ModelProto, NodeProto, TensorProto } from './onnx_pb.js';
import { OperatorSetIdProtoSchema, TensorProtoSchema } from './onnx_pb.js';
import { withoutSequences } from './sequences.js';
import type { Names, Work } from './subgraph.js';
import { identity, opened, renamed } from './subgraph.js';
import { readTensor } from './tensor.js';
import type { TensorType } from './types.js';
import { declaredTypes } from './types.js';
import { loop, scan } from './unroll.js';

// Deeper nesting than this is a function that calls itself.
const DEEPEST = 200;
const MOST_NODES = 200_000;

/**
 * Writes out, in place, what a graph holds inside its nodes: calls of the model's own functions, branches whose condition is
 * constant, loops whose number of rounds is, and scans whose number of elements is known; and sequences whose elements are known. Anything else stays.
 * types: of inner tensors, where the file does not declare them. Throws `bad-graph` for a function that calls itself.
 */
export function inline(model: ModelProto, types: ReadonlyMap<string, TensorType> = new Map()): ModelProto {
  const names = new Graph(model);
  const { proto } = names;
  const constants = new Map<string, TensorProto>();
  for (const initializer of proto.initializer) constants.set(initializer.name, initializer);
  for (const { name } of proto.input) constants.delete(name);
  const declared = declaredTypes(model);
  const work: Work = {
    functions: new Map(model.functions.map((body) => [keyOf(body.domain, body.name, body.overload), body])),
    unique: (hint) => names.unique(hint || 'tensor'),
    constant: (name) => {
      const found = constants.get(name);
      return found === undefined || found.externalData.length > 0 ? undefined : readTensor(found);
    },
    sizes: (name) => (types.get(name) ?? declared.get(name))?.dims,
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
  proto.node = withoutSequences(
    done,
    proto.output.map(({ name }) => name),
    work,
  );
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
  if (node.opType === 'Scan') return scan(node, work);
  return node.opType === 'Loop' ? loop(node, work) : undefined;
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

function importAll(model: ModelProto, imports: ModelProto['opsetImport']): void {
  for (const { domain, version } of imports) {
    const known = model.opsetImport.some((entry) => entry.domain === domain);
    if (!known && domain !== 'ai.onnx')
      model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain, version }));
  }
  opsetOf(model);
}
