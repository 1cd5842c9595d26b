import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

import type { DType, Tensor } from '@gauntlet/onnx';

const DTYPES: Readonly<Record<string, DType>> = {
  '<f4': 'float32',
  '<f8': 'float64',
  '<f2': 'float16',
  '<i8': 'int64',
  '<i4': 'int32',
  '<i2': 'int16',
  '|i1': 'int8',
  '|u1': 'uint8',
  '<u2': 'uint16',
  '<u4': 'uint32',
  '<u8': 'uint64',
  '|b1': 'bool',
};

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** The arrays of an npz file by name. */
export function readNpz(path: string): Map<string, Tensor> {
  return new Map(
    unzip(readFileSync(path)).map(([name, bytes]) => [name.replace(/\.npy$/, ''), readNpy(bytes)]),
  );
}

/** Names and contents of a zip file's members, by its central directory. */
export function unzip(bytes: Buffer): [string, Uint8Array][] {
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const files: [string, Uint8Array][] = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const [method, size, name] = [
      bytes.readUInt16LE(at + 10),
      bytes.readUInt32LE(at + 20),
      bytes.readUInt16LE(at + 28),
    ];
    const local = bytes.readUInt32LE(at + 42);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const packed = bytes.subarray(start, start + size);
    files.push([
      bytes.toString('utf8', at + 46, at + 46 + name),
      method === 0 ? packed : inflateRawSync(packed),
    ]);
    at += 46 + name + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return files;
}

/** The array of a npy file. */
export function readNpy(bytes: Uint8Array): Tensor {
  const long = bytes[6]! > 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = long ? 12 : 10;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + length));
  const dtype = DTYPES[/'descr': '([^']+)'/.exec(header)?.[1] ?? ''] as keyof typeof ARRAYS | undefined;
  if (dtype === undefined) throw new Error(`unreadable npy: ${header}`);
  const dims = [...(/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '').matchAll(/\d+/g)].map(Number);
  const data = new ARRAYS[dtype](new Uint8Array(bytes.subarray(start + length)).buffer);
  return {
    dtype,
    dims,
    data: header.includes("'fortran_order': True") ? rowMajor(data as Float32Array, dims) : data,
  };
}

/** Column-major data in row-major order. */
function rowMajor<T extends Float32Array>(data: T, dims: readonly number[]): T {
  const result = data.slice() as T;
  for (let i = 0; i < data.length; i++) {
    let [rest, at, stride] = [i, 0, 1];
    for (const dim of dims) {
      at += (rest % dim) * (data.length / (stride *= dim));
      rest = Math.floor(rest / dim);
    }
    result[at] = data[i]!;
  }
  return result;
}
