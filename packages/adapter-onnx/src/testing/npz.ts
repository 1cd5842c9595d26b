import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import { type Tensor, tensor } from '@gauntlet/tensor';

/** The arrays of an npz file by name, as float32: enough for the fixtures. */
export function readNpz(path: string): Record<string, Tensor> {
  const bytes = readFileSync(path);
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const arrays: Record<string, Tensor> = {};
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const [method, size] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 20)];
    const [name, extra, comment] = [28, 30, 32].map((place) => bytes.readUInt16LE(at + place)) as [
      number,
      number,
      number,
    ];
    const local = bytes.readUInt32LE(at + 42);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const packed = bytes.subarray(start, start + size);
    const file = bytes.toString('utf8', at + 46, at + 46 + name).replace(/\.npy$/, '');
    arrays[file] = readNpy(method === 0 ? packed : inflateRawSync(packed));
    at += 46 + name + extra + comment;
  }
  return arrays;
}

const ARRAYS = { '<f4': Float32Array, '<f8': Float64Array, '<i8': BigInt64Array, '|u1': Uint8Array };

function readNpy(bytes: Uint8Array): Tensor {
  const length = bytes[8]! + 256 * bytes[9]!;
  const header = new TextDecoder('latin1').decode(bytes.subarray(10, 10 + length));
  const array = ARRAYS[/'descr': '([^']+)'/.exec(header)?.[1] as keyof typeof ARRAYS];
  const shape = [...(/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '').matchAll(/\d+/g)].map(Number);
  const numbers = new array(new Uint8Array(bytes.subarray(10 + length)).buffer);
  return tensor(Float32Array.from(numbers as ArrayLike<number | bigint>, Number), shape.length ? shape : [1]);
}
