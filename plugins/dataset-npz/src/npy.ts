import { unexpected } from '@gauntlet/core';

/** The element types that are read and written, in NumPy's letters without the byte order. */
export type Dtype = 'f2' | 'f4' | 'f8' | 'u1' | 'u2' | 'u4' | 'u8' | 'i1' | 'i2' | 'i4' | 'i8' | 'b1';

/** What the header of a .npy file says. */
export interface Npy {
  readonly dtype: Dtype;
  readonly bigEndian: boolean;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  /** Where the numbers start. */
  readonly start: number;
  /** How many numbers there are, and how many bytes each takes. */
  readonly count: number;
  readonly itemSize: number;
}

/** No honest header is longer. */
export const LONGEST_HEADER = 65_536;

const MAGIC = '\x93NUMPY';

/**
 * Reads the header of a .npy file, format versions 1 to 3.
 *
 * @param head the file's first bytes: all of the header, whatever follows.
 * @param at names the array, for messages.
 */
export function parseHeader(head: Buffer, at: string): Npy {
  const broken = (found: string) =>
    unexpected({
      found,
      at,
      expected: 'an array that numpy.savez wrote',
      remedy: 'Save the file again.',
    });
  const version = head[6] ?? 0;
  if (head.length < 12 || head.toString('latin1', 0, 6) !== MAGIC || version < 1 || version > 3) {
    throw broken('bytes that are not a .npy array');
  }
  const from = version === 1 ? 10 : 12;
  const start = from + (version === 1 ? head.readUInt16LE(8) : head.readUInt32LE(8));
  if (start > LONGEST_HEADER || start > head.length) throw broken('header that is cut off or far too long');

  const text = head.toString(version === 3 ? 'utf8' : 'latin1', from, start);
  const descr = /'descr'\s*:\s*'([<>|=]?)(\w+)'/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const dims = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text);
  if (order === null || dims === null) throw broken('header that cannot be read');
  const shape = (dims[1]!.match(/\d+/g) ?? []).map(Number);
  const count = shape.reduce((product, n) => product * n, 1);
  if (!Number.isSafeInteger(count)) throw broken(`shape [${shape}]`);
  const dtype = descr?.[2];
  if (!isDtype(dtype)) {
    throw unexpected({
      found: `dtype ${dtype ?? 'that is not a plain number'}`,
      at,
      expected: 'floats or integers',
      remedy: "Convert the array, for instance with .astype('float32').",
    });
  }
  const itemSize = Number(dtype[1]);
  return { dtype, bigEndian: descr![1] === '>', fortran: order[1] === 'True', shape, start, count, itemSize };
}

/** The header of a .npy file (version 1.0), padded so that the numbers are aligned. `dtype` is NumPy's, such as `<f4`. */
export function formatHeader(dtype: string, shape: readonly number[]): Buffer {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${dims}), }`;
  const padding = 63 - ((10 + text.length) % 64);
  const header = Buffer.from(`${MAGIC}\x01\x00__${text}${' '.repeat(padding)}\n`, 'latin1');
  header.writeUInt16LE(header.length - 10, 8);
  return header;
}

const READ: Record<Dtype, (view: DataView, at: number, little: boolean) => number> = {
  f2: (view, at, little) => float16(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
  u1: (view, at) => view.getUint8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  i1: (view, at) => view.getInt8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  b1: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
};

const isDtype = (name: string | undefined): name is Dtype => name !== undefined && Object.hasOwn(READ, name);

/** Number `i`, in C order, of the numbers in `bytes` (which start where the array starts). */
export function reader(npy: Npy, bytes: Uint8Array): (i: number) => number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READ[npy.dtype];
  const little = !npy.bigEndian;
  const place = npy.fortran ? fortranPlace(npy.shape) : (i: number) => i;
  return (i) => read(view, place(i) * npy.itemSize, little);
}

/** Where number `i` in C order stands in Fortran order: the first index runs fastest. */
function fortranPlace(shape: readonly number[]): (i: number) => number {
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, n) => product * n, 1));
  return (i) => {
    let place = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += (i % shape[axis]!) * strides[axis]!;
      i = Math.floor(i / shape[axis]!);
    }
    return place;
  };
}

/** IEEE 754 binary16. */
function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
