import { TensorProto_DataType } from './onnx_pb.js';

/** What the numbers of a tensor are held in: 64-bit integers as bigint, narrow floats as their bits. */
export type Numbers =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** What makes an array of them. */
export type NumbersConstructor = { new (length: number): Numbers };

/** How elements of a type lie in memory. */
export interface Layout {
  readonly code: TensorProto_DataType;
  readonly array: NumbersConstructor | undefined;
  /** Bits of one element in `raw_data`. */
  readonly bits: number;
  /** Array entries for one element: 2 for complex numbers. */
  readonly entries: number;
}

const layout = (code: TensorProto_DataType, array: unknown, bits: number, entries = 1): Layout => ({
  code,
  array: array as NumbersConstructor | undefined,
  bits,
  entries,
});

/** Narrow floats keep their bits (float16 as Uint16); types under a byte stay packed, as in the file. */
export const LAYOUTS = {
  float32: layout(TensorProto_DataType.FLOAT, Float32Array, 32),
  uint8: layout(TensorProto_DataType.UINT8, Uint8Array, 8),
  int8: layout(TensorProto_DataType.INT8, Int8Array, 8),
  uint16: layout(TensorProto_DataType.UINT16, Uint16Array, 16),
  int16: layout(TensorProto_DataType.INT16, Int16Array, 16),
  int32: layout(TensorProto_DataType.INT32, Int32Array, 32),
  int64: layout(TensorProto_DataType.INT64, BigInt64Array, 64),
  string: layout(TensorProto_DataType.STRING, undefined, 0),
  bool: layout(TensorProto_DataType.BOOL, Uint8Array, 8),
  float16: layout(TensorProto_DataType.FLOAT16, Uint16Array, 16),
  float64: layout(TensorProto_DataType.DOUBLE, Float64Array, 64),
  uint32: layout(TensorProto_DataType.UINT32, Uint32Array, 32),
  uint64: layout(TensorProto_DataType.UINT64, BigUint64Array, 64),
  complex64: layout(TensorProto_DataType.COMPLEX64, Float32Array, 64, 2),
  complex128: layout(TensorProto_DataType.COMPLEX128, Float64Array, 128, 2),
  bfloat16: layout(TensorProto_DataType.BFLOAT16, Uint16Array, 16),
  float8e4m3fn: layout(TensorProto_DataType.FLOAT8E4M3FN, Uint8Array, 8),
  float8e4m3fnuz: layout(TensorProto_DataType.FLOAT8E4M3FNUZ, Uint8Array, 8),
  float8e5m2: layout(TensorProto_DataType.FLOAT8E5M2, Uint8Array, 8),
  float8e5m2fnuz: layout(TensorProto_DataType.FLOAT8E5M2FNUZ, Uint8Array, 8),
  float8e8m0: layout(TensorProto_DataType.FLOAT8E8M0, Uint8Array, 8),
  uint4: layout(TensorProto_DataType.UINT4, Uint8Array, 4),
  int4: layout(TensorProto_DataType.INT4, Uint8Array, 4),
  float4e2m1: layout(TensorProto_DataType.FLOAT4E2M1, Uint8Array, 4),
  uint2: layout(TensorProto_DataType.UINT2, Uint8Array, 2),
  int2: layout(TensorProto_DataType.INT2, Uint8Array, 2),
};

/**
 * Element types by the names that typed code uses; `dtypeOf` and `codeOf` translate from and to the file's numbers.
 *
 * @useDeclaredType
 */
export type DType = keyof typeof LAYOUTS;

const NAMES = new Map<number, DType>(
  Object.entries(LAYOUTS).map(([name, { code }]) => [code, name as DType] as const),
);

/** The dtype of a `TensorProto.DataType` number, or undefined for one that ONNX does not define. */
export function dtypeOf(code: number): DType | undefined {
  return NAMES.get(code);
}

/** The `TensorProto.DataType` number of a dtype. */
export function codeOf(dtype: DType): TensorProto_DataType {
  return LAYOUTS[dtype].code;
}

/** True for the types that gradients flow through. */
export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16';
}
