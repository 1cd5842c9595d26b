import { create } from '@bufbuild/protobuf';

import { codeOf, type DType, dtypeOf, LAYOUTS, type Numbers, type NumbersConstructor } from './dtype.js';
import { fail } from './errors.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './narrow-floats.js';
import type { TensorProto } from './onnx_pb.js';
import { TensorProto_DataLocation, TensorProtoSchema } from './onnx_pb.js';

/** A dense tensor held in memory, row-major. */
export interface Tensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** bool as 0/1 in Uint8Array, float16 and bfloat16 as their bits in Uint16Array, strings as an array. */
  readonly data: Numbers | readonly string[];
}

/** A shape as plain numbers. Throws `bad-tensor` on negative or absurd dimensions. */
export function dimsOf(proto: TensorProto): number[] {
  return proto.dims.map((dim) => {
    const size = Number(dim);
    if (Number.isSafeInteger(size) && size >= 0) return size;
    return fail(
      'bad-tensor',
      `Unexpected dimension ${dim} at tensor "${proto.name}", expected a size of at least 0. Export the model again.`,
    );
  });
}

/**
 * Reads a TensorProto. `raw_data` becomes a view of the file where its alignment allows, else a copy.
 * Throws `bad-tensor` for unknown types, external data (load it first) and data that do not match the shape.
 */
export function readTensor(proto: TensorProto): Tensor {
  const dtype =
    dtypeOf(proto.dataType) ??
    fail(
      'bad-tensor',
      `Unexpected data type ${proto.dataType} at tensor "${proto.name}", expected a type that ONNX defines. Export the model again.`,
    );
  const dims = dimsOf(proto);
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    fail(
      'bad-tensor',
      `Unexpected external data at tensor "${proto.name}", expected data inside the model. Load the external data first.`,
    );
  }
  if (dtype === 'string') {
    const decoder = new TextDecoder();
    expectLength(proto, proto.stringData.length, size);
    return { dtype, dims, data: proto.stringData.map((bytes) => decoder.decode(bytes)) };
  }
  const { array, bits, entries } = LAYOUTS[dtype];
  if (proto.rawData.length > 0) {
    expectLength(proto, proto.rawData.length, Math.ceil((size * bits) / 8));
    return { dtype, dims, data: view(array!, proto.rawData) };
  }
  const values = listed(proto, dtype);
  const length = bits < 8 ? Math.ceil((size * bits) / 8) : size * entries;
  expectLength(proto, values.length, length);
  const data = new array!(length);
  for (let i = 0; i < length; i++) data[i] = values[i]!;
  return { dtype, dims, data };
}

/** Writes a tensor as `raw_data` (strings as `string_data`). The bytes are shared, not copied. */
export function writeTensor(tensor: Tensor, name = ''): TensorProto {
  const proto = create(TensorProtoSchema, {
    name,
    dataType: codeOf(tensor.dtype),
    dims: tensor.dims.map(BigInt),
  });
  const { data } = tensor;
  if (isStrings(data)) proto.stringData = data.map((text) => new TextEncoder().encode(text));
  else proto.rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return proto;
}

/** Rewrites numbers held in `float_data` and its siblings as `raw_data`, in place; anything unusual is left as it is. */
export function packTensor(proto: TensorProto): void {
  const wordy = proto.floatData.length + proto.doubleData.length + proto.int32Data.length;
  if (wordy + proto.int64Data.length + proto.uint64Data.length === 0 || proto.rawData.length > 0) return;
  if (dtypeOf(proto.dataType) === undefined) return;
  const packed = writeTensor(readTensor(proto));
  proto.rawData = packed.rawData;
  proto.floatData = [];
  proto.doubleData = [];
  proto.int32Data = [];
  proto.int64Data = [];
  proto.uint64Data = [];
}

/** A one-element or n-element tensor of integers, the form in which ONNX passes axes, shapes and indices. */
export function int64s(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return { dtype: 'int64', dims, data: BigInt64Array.from(values, toInt64) };
}

/** A tensor of one value in a numeric dtype; float16 and bfloat16 are rounded to nearest even. */
export function filled(dtype: DType, value: number, dims: readonly number[] = []): Tensor {
  const { array } = LAYOUTS[dtype];
  if (array === undefined)
    fail('bad-tensor', `Unexpected dtype "${dtype}", expected a numeric type. Choose another.`);
  const data = new array(dims.reduce((product, dim) => product * dim, 1));
  const entry = entryOf(dtype, value);
  for (let i = 0; i < data.length; i++) data[i] = entry;
  return { dtype, dims, data };
}

/** A tensor of these numbers in a numeric dtype, row-major; narrow floats are rounded to nearest even. */
export function fromNumbers(
  dtype: DType,
  numbers: readonly number[],
  dims: readonly number[] = [numbers.length],
): Tensor {
  const { array } = LAYOUTS[dtype];
  if (array === undefined)
    fail('bad-tensor', `Unexpected dtype "${dtype}", expected a numeric type. Choose another.`);
  const data = new array(numbers.length);
  numbers.forEach((value, i) => (data[i] = entryOf(dtype, value)));
  return { dtype, dims, data };
}

/** The numbers of a tensor of any real dtype; float16 and bfloat16 bits are decoded. Throws `bad-tensor` on others. */
export function numbersOf(tensor: Tensor): number[] {
  const { data, dtype } = tensor;
  if (
    isStrings(data) ||
    LAYOUTS[dtype].bits < 8 ||
    dtype.startsWith('complex') ||
    dtype.startsWith('float8')
  ) {
    return fail('bad-tensor', `Unexpected ${dtype} tensor, expected real numbers. Export the model again.`);
  }
  const decode = dtype === 'float16' ? fromFloat16 : dtype === 'bfloat16' ? fromBfloat16 : Number;
  return Array.from(data as ArrayLike<number | bigint>, (entry) => decode(entry as number));
}

/** int64 from a number; the largest int64 (which stands for "to the end") is not a number, so what lies beyond is brought back. Throws `bad-tensor` on fractions. */
export function toInt64(value: number): bigint {
  if (value >= 2 ** 63) return 2n ** 63n - 1n;
  if (value <= -(2 ** 63)) return -(2n ** 63n);
  if (Number.isInteger(value)) return BigInt(value);
  return fail(
    'bad-tensor',
    `Unexpected number ${value} among int64 numbers, expected an integer. Export the model again.`,
  );
}

function entryOf(dtype: DType, value: number): number | bigint {
  if (dtype === 'int64' || dtype === 'uint64') return toInt64(value);
  if (dtype === 'float16') return toFloat16(value);
  return dtype === 'bfloat16' ? toBfloat16(value) : value;
}

function isStrings(data: Tensor['data']): data is readonly string[] {
  return Array.isArray(data);
}

function view(array: NumbersConstructor, bytes: Uint8Array): Numbers {
  const constructor = array as unknown as {
    new (buffer: ArrayBufferLike, offset: number, length: number): Numbers;
    BYTES_PER_ELEMENT: number;
  };
  const width = constructor.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  return new constructor(aligned.buffer, aligned.byteOffset, aligned.byteLength / width);
}

function listed(proto: TensorProto, dtype: DType): ArrayLike<number | bigint> {
  if (dtype === 'float32' || dtype === 'complex64') return proto.floatData;
  if (dtype === 'float64' || dtype === 'complex128') return proto.doubleData;
  if (dtype === 'int64') return proto.int64Data;
  if (dtype === 'uint64') return proto.uint64Data;
  return dtype === 'uint32' ? Array.from(proto.uint64Data, Number) : proto.int32Data;
}

function expectLength(proto: TensorProto, found: number, expected: number): void {
  if (found === expected) return;
  fail(
    'bad-tensor',
    `Unexpected data length ${found} at tensor "${proto.name}", expected ${expected} for its shape [${proto.dims}]. Export the model again.`,
  );
}
