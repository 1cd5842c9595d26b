import { create } from '@bufbuild/protobuf';

import { fail } from './errors.js';
import type { AttributeProto, GraphProto, NodeProto, TensorProto } from './onnx_pb.js';
import { AttributeProto_AttributeType as Kind, AttributeProtoSchema } from './onnx_pb.js';
import type { Tensor } from './tensor.js';
import { toInt64, writeTensor } from './tensor.js';

/** Marks a number as a FLOAT attribute; plain numbers become INT. */
export const float = (value: number) => ({ float: value });

/** Marks numbers as a FLOATS attribute; plain arrays become INTS. */
export const floats = (values: readonly number[]) => ({ floats: values });

/** Makes a STRINGS attribute. */
export const strings = (values: readonly string[]) => ({ strings: values });

/** What may stand for an attribute when a node is made. `undefined` leaves the attribute out. */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | ReturnType<typeof float>
  | ReturnType<typeof floats>
  | ReturnType<typeof strings>
  | { readonly graph: GraphProto }
  | Tensor
  | undefined;

/** Makes the attribute that `node(op, inputs, { name: value })` stands for. */
export function writeAttribute(name: string, value: Exclude<AttributeValue, undefined>): AttributeProto {
  const made = (type: Kind, init: object) => create(AttributeProtoSchema, { name, type, ...init });
  if (typeof value === 'number') return made(Kind.INT, { i: toInt64(value) });
  if (typeof value === 'string') return made(Kind.STRING, { s: new TextEncoder().encode(value) });
  if (isInts(value)) return made(Kind.INTS, { ints: value.map(toInt64) });
  if ('float' in value) return made(Kind.FLOAT, { f: value.float });
  if ('floats' in value) return made(Kind.FLOATS, { floats: [...value.floats] });
  if ('strings' in value)
    return made(Kind.STRINGS, { strings: value.strings.map((each) => new TextEncoder().encode(each)) });
  if ('graph' in value) return made(Kind.GRAPH, { g: value.graph });
  return made(Kind.TENSOR, { t: writeTensor(value) });
}

/** Typed access to a node's attributes. Each reader gives the fallback when the attribute is absent and throws `bad-attribute` when it has another type. */
export interface Attributes {
  /** Whether the node has the attribute. */
  has(name: string): boolean;
  /** INT, exact up to 2^53. */
  int<F>(name: string, fallback: F): number | F;
  /** FLOAT, a float32. */
  float<F>(name: string, fallback: F): number | F;
  /** STRING, read as UTF-8. */
  string<F>(name: string, fallback: F): string | F;
  /** INTS, exact up to 2^53. */
  ints<F>(name: string, fallback: F): number[] | F;
  /** FLOATS, float32 numbers. */
  floats<F>(name: string, fallback: F): number[] | F;
  /** STRINGS, read as UTF-8. */
  strings<F>(name: string, fallback: F): string[] | F;
  /** TENSOR, as the file holds it. */
  tensor(name: string): TensorProto | undefined;
  /** GRAPH, the body of a loop or a branch. */
  graph(name: string): GraphProto | undefined;
}

/** How messages name a node. */
export function nodePath(node: NodeProto): string {
  return node.name
    ? `node "${node.name}" (${node.opType})`
    : `node ${node.opType} of "${node.output[0] ?? ''}"`;
}

/** The readers of one node's attributes. */
export function attributesOf(node: NodeProto): Attributes {
  const find = (name: string) => node.attribute.find((attribute) => attribute.name === name);
  const read =
    <T>(kind: Kind, get: (attribute: AttributeProto) => T) =>
    <F>(name: string, fallback: F): T | F => {
      const attribute = find(name);
      if (attribute === undefined) return fallback;
      // Files from before IR version 2 leave the type out.
      if (attribute.type === kind || attribute.type === Kind.UNDEFINED) return get(attribute);
      return fail(
        'bad-attribute',
        `Unexpected ${kindName(attribute.type)} at attribute "${name}" of ${nodePath(node)}, expected ${kindName(kind)}. Export the model again.`,
      );
    };
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const tensor = read(Kind.TENSOR, (attribute) => attribute.t);
  const graph = read(Kind.GRAPH, (attribute) => attribute.g);
  return {
    has: (name) => find(name) !== undefined,
    int: read(Kind.INT, (attribute) => Number(attribute.i)),
    float: read(Kind.FLOAT, (attribute) => attribute.f),
    string: read(Kind.STRING, (attribute) => decode(attribute.s)),
    ints: read(Kind.INTS, (attribute) => attribute.ints.map(Number)),
    floats: read(Kind.FLOATS, (attribute) => attribute.floats),
    strings: read(Kind.STRINGS, (attribute) => attribute.strings.map(decode)),
    tensor: (name) => tensor(name, undefined),
    graph: (name) => graph(name, undefined),
  };
}

function isInts(value: object): value is readonly number[] {
  return Array.isArray(value);
}

function kindName(kind: Kind): string {
  return Object.entries(Kind).find(([, code]) => code === kind)?.[0] ?? `type ${kind}`;
}
