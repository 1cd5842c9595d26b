import { clone, create } from '@bufbuild/protobuf';

import { writeAttribute } from './attributes.js';
import type { FunctionProto, GraphProto, NodeProto, TensorProto } from './onnx_pb.js';
import { NodeProtoSchema, TensorProtoSchema } from './onnx_pb.js';
import { renameTensors } from './rename.js';
import type { Tensor } from './tensor.js';
import type { Dim } from './types.js';

/** Inner names and what they become. */
export type Names = Map<string, string>;

/** What the conversions share: constants seen so far, fresh names, and where initialisers go. */
export interface Work {
  readonly functions: ReadonlyMap<string, FunctionProto>;
  unique(hint: string): string;
  constant(name: string): Tensor | undefined;
  /** Sizes of a tensor, where they are known. */
  sizes(name: string): readonly Dim[] | undefined;
  initialise(proto: TensorProto, name: string): void;
}

/** The nodes of a subgraph with its inputs and outputs under outer names. */
export function opened(
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
export function renamed(node: NodeProto, names: Names, work: Work): NodeProto {
  const copy = clone(NodeProtoSchema, node);
  for (const name of node.output) if (name !== '' && !names.has(name)) names.set(name, work.unique(name));
  const outer = (name: string) => names.get(name) ?? name;
  copy.input = node.input.map(outer);
  copy.output = node.output.map(outer);
  copy.attribute.forEach(({ g, graphs }) =>
    [...(g === undefined ? [] : [g]), ...graphs].forEach((graph) => renameTensors(graph, outer)),
  );
  return copy;
}

/** A node that gives a tensor another name. */
export const identity = (input: string, output: string): NodeProto =>
  create(NodeProtoSchema, { opType: 'Identity', input: [input], output: [output] });

/** The node that puts tensors together along an axis that they have. */
export const joined = (names: readonly string[], axis: number, output: string): NodeProto[] => [
  create(NodeProtoSchema, {
    opType: 'Concat',
    input: [...names],
    output: [output],
    attribute: [writeAttribute('axis', axis)],
  }),
];

/** The nodes that put tensors together along a new axis. */
export function stacked(names: readonly string[], axis: number, output: string, work: Work): NodeProto[] {
  const along = work.unique('axis');
  work.initialise(int64(axis, [1n]), along);
  const wide = names.map((name) => work.unique(name));
  const widened = names.map((name, i) =>
    create(NodeProtoSchema, { opType: 'Unsqueeze', input: [name, along], output: [wide[i]!] }),
  );
  return [...widened, ...joined(wide, axis, output)];
}

/** An initialiser of one integer. */
export const int64 = (value: number, dims: bigint[]): TensorProto =>
  create(TensorProtoSchema, {
    dataType: 7,
    dims,
    rawData: new Uint8Array(BigInt64Array.of(BigInt(value)).buffer),
  });
