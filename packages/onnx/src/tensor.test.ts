import { create } from '@bufbuild/protobuf';

import type { DType, Tensor } from './index.js';
import {
  filled,
  fromNumbers,
  int64s,
  numbersOf,
  packTensor,
  readTensor,
  TensorProtoSchema,
  writeTensor,
} from './index.js';

const tensors: Tensor[] = [
  { dtype: 'float32', dims: [2], data: Float32Array.of(1.5, -2) },
  { dtype: 'float64', dims: [1, 2], data: Float64Array.of(Math.PI, -0) },
  { dtype: 'float16', dims: [2], data: Uint16Array.of(0x3c00, 0xbe00) },
  { dtype: 'bfloat16', dims: [1], data: Uint16Array.of(0x3f80) },
  { dtype: 'int8', dims: [2], data: Int8Array.of(-128, 127) },
  { dtype: 'uint8', dims: [0], data: new Uint8Array() },
  { dtype: 'int16', dims: [], data: Int16Array.of(-3) },
  { dtype: 'uint16', dims: [1], data: Uint16Array.of(65535) },
  { dtype: 'int32', dims: [1], data: Int32Array.of(-5) },
  { dtype: 'uint32', dims: [1], data: Uint32Array.of(2 ** 32 - 1) },
  { dtype: 'int64', dims: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) },
  { dtype: 'uint64', dims: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  { dtype: 'bool', dims: [2], data: Uint8Array.of(1, 0) },
  { dtype: 'complex64', dims: [1], data: Float32Array.of(1, 2) },
  { dtype: 'complex128', dims: [1], data: Float64Array.of(1, 2) },
  { dtype: 'float8e4m3fn', dims: [1], data: Uint8Array.of(7) },
  { dtype: 'int4', dims: [3], data: Uint8Array.of(0x21, 0x03) },
  { dtype: 'string', dims: [2], data: ['a', 'ü'] },
];

test.each(tensors.map((tensor) => [tensor.dtype, tensor] as const))(
  '%s survives writing and reading',
  (_, tensor) => {
    expect(readTensor(writeTensor(tensor, 'name'))).toStrictEqual(tensor);
  },
);

test('data that do not start at a multiple of their width are copied', () => {
  const bytes = new Uint8Array(13).subarray(1, 13);
  bytes.set([0, 0, 128, 63], 4);
  const proto = create(TensorProtoSchema, { dims: [3n], dataType: 1, rawData: bytes });
  expect([...readTensor(proto).data]).toEqual([0, 1, 0]);
});

test.each([
  ['floatData', 'float32', 1, [1.5, -2]],
  ['doubleData', 'float64', 11, [0.1, 2]],
  ['int32Data', 'int8', 3, [-1, 5]],
  ['int32Data', 'bool', 9, [1, 0]],
] as const)('%s of %s becomes raw data', (field, dtype, code, values) => {
  const proto = create(TensorProtoSchema, { dims: [2n], dataType: code, [field]: values });
  packTensor(proto);
  expect(proto[field]).toEqual([]);
  expect(readTensor(proto)).toMatchObject({ dtype, dims: [2] });
  expect(numbersOf(readTensor(proto))).toEqual(values);
});

test.each([
  ['an unknown type', { dims: [1n], dataType: 99 }],
  ['too few bytes', { dims: [4n], dataType: 1, rawData: new Uint8Array(3) }],
  ['too few numbers', { dims: [4n], dataType: 1, floatData: [1] }],
  ['a negative dimension', { dims: [-1n], dataType: 1 }],
  ['external data', { dims: [1n], dataType: 1, dataLocation: 1 as const }],
])('%s is refused', (_, init) => {
  expect(() => readTensor(create(TensorProtoSchema, { name: 'w', ...init }))).toThrow(/^Unexpected .* "w"/);
});

test('every float16 is read and written as itself', () => {
  const every = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits).filter(
    (bits) => (bits & 0x7fff) <= 0x7c00,
  );
  const numbers = numbersOf({ dtype: 'float16', dims: [every.length], data: every });
  expect(fromNumbers('float16', numbers).data).toEqual(every);
});

test('narrow floats are rounded to the nearest, ties to even', () => {
  const near = (dtype: DType, value: number) => numbersOf(filled(dtype, value))[0];
  expect(near('float16', 2049)).toBe(2048);
  expect(near('float16', 2051)).toBe(2052);
  expect(near('float16', 1e30)).toBe(Infinity);
  expect(near('bfloat16', 1 + 2 ** -8)).toBe(1);
});

test('an int64 beyond the largest stands for the largest', () => {
  expect(int64s([2 ** 63, -(2 ** 64)]).data).toEqual(BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n)));
  expect(() => int64s([0.5])).toThrow('Unexpected number 0.5');
});
