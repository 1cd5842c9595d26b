import { create } from '@bufbuild/protobuf';

import type { TensorProto } from './onnx_pb.js';
import { StringStringEntryProtoSchema, TensorProto_DataLocation } from './onnx_pb.js';

/** Where the bytes of a tensor lie outside of its model. */
export interface Place {
  /** A file's name, from the model's folder. */
  readonly location: string;
  /** Bytes before the tensor. */
  readonly offset: number;
  /** Bytes of the tensor; up to the file's end when left out. */
  readonly length?: number;
}

/** Where the data of a tensor lie outside of its model; undefined for one that has them inside. Numbers are as the file says, also NaN. */
export function placeOf({ dataLocation, externalData }: TensorProto): Place | undefined {
  if (dataLocation !== TensorProto_DataLocation.EXTERNAL) return undefined;
  const entry = (key: string) => externalData.find((each) => each.key === key)?.value;
  const length = entry('length');
  return {
    location: entry('location') ?? '',
    offset: Number(entry('offset') ?? 0),
    ...(length === undefined ? {} : { length: Number(length) }),
  };
}

/** Says, in place, where the data of a tensor lie outside of its model. */
export function placeAt(proto: TensorProto, place: Place): void {
  proto.dataLocation = TensorProto_DataLocation.EXTERNAL;
  proto.externalData = Object.entries(place).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value: String(value) }),
  );
}

/** Puts the data of a tensor into the model, in place. */
export function takeInside(proto: TensorProto, bytes: Uint8Array): void {
  proto.rawData = bytes;
  proto.dataLocation = TensorProto_DataLocation.DEFAULT;
  proto.externalData = [];
}
