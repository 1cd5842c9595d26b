import { create } from '@bufbuild/protobuf';

import { fail } from './errors.js';
import type { GraphProto, ModelProto, TypeProto, ValueInfoProto } from './onnx_pb.js';
import { ValueInfoProtoSchema } from './onnx_pb.js';
import { codeOf, type DType, dtypeOf } from './dtype.js';
import { dimsOf } from './tensor.js';

/** A size, or the name of a size that is known at run time only; equal names are equal sizes. */
export type Dim = number | string;

/** Element type and shape of a tensor. */
export interface TensorType {
  readonly dtype: DType;
  readonly dims: readonly Dim[];
}

/** A `value_info` entry; without dims the rank stays unknown. */
export function writeValueInfo(name: string, dtype: DType, dims?: readonly Dim[]): ValueInfoProto {
  const dim = dims?.map((size) => ({
    value:
      typeof size === 'number'
        ? ({ case: 'dimValue', value: BigInt(size) } as const)
        : ({ case: 'dimParam', value: size } as const),
  }));
  const value = { elemType: codeOf(dtype), ...(dim === undefined ? {} : { shape: { dim } }) };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value } } });
}

/** The tensor type in a `value_info` entry; undefined if it is not a tensor or its rank is unknown. An unnamed dimension gets a name of its own. */
export function readValueInfo(info: ValueInfoProto): TensorType | undefined {
  return typeOf(info.type, info.name);
}

/** Types of every tensor that a graph declares: inputs, outputs, value_info and initialisers. */
export function declaredTypes({ graph }: ModelProto): Map<string, TensorType> {
  const types = new Map<string, TensorType>();
  if (graph !== undefined) declare(graph, types);
  return types;
}

function declare(graph: GraphProto, types: Map<string, TensorType>): void {
  for (const info of [...graph.output, ...graph.valueInfo, ...graph.input]) {
    const type = readValueInfo(info);
    if (type !== undefined) types.set(info.name, type);
  }
  for (const proto of graph.initializer) {
    const dtype = dtypeOf(proto.dataType);
    if (dtype !== undefined) types.set(proto.name, { dtype, dims: dimsOf(proto) });
  }
}

function typeOf(type: TypeProto | undefined, name: string): TensorType | undefined {
  if (type?.value.case !== 'tensorType') return undefined;
  const { elemType, shape } = type.value.value;
  const dtype = dtypeOf(elemType);
  if (dtype === undefined || shape === undefined) return undefined;
  const dims = shape.dim.map(({ value }, axis): Dim => {
    if (value.case === 'dimValue' && value.value >= 0n) return sizeOf(value.value, name);
    return value.case === 'dimParam' && value.value !== '' ? value.value : `${name}.${axis}`;
  });
  return { dtype, dims };
}

function sizeOf(value: bigint, name: string): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  return fail(
    'bad-shape',
    `Unexpected dimension ${value} at tensor "${name}", expected a smaller one. Export the model again.`,
  );
}
