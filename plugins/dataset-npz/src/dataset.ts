import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Dataset, unexpected } from '@gauntlet/core';
import { tensor } from '@gauntlet/tensor';
import { LONGEST_HEADER, type Npy, parseHeader, reader } from './npy.js';
import { type Entry, openZip, type Zip } from './zip.js';

/** Compressed and Fortran-ordered arrays are held in memory whole, up to this size; plain ones are read as needed. */
const LARGEST_IN_MEMORY = 2 ** 31;

const SAMPLES = ['f2', 'f4', 'f8', 'u1'];
const LABELS = ['i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1'];

/** Opens samples and labels in an .npz file. 8-bit samples are divided by 255 unless the bounds are [0, 255]. */
export async function openNpz(
  path: string,
  bounds: readonly [number, number],
  names: { readonly x: string; readonly y: string },
): Promise<Dataset> {
  return withFile(path, async (file) => {
    const name = basename(path);
    const zip = await openZip(file, path);
    const x = await find(zip, names.x, path, SAMPLES, 'float16, float32, float64 or uint8');
    const y = await find(zip, names.y, path, LABELS, 'integers');
    const [samples = 0, ...shape] = x.npy.shape;
    if (shape.length === 0) {
      throw unexpected({
        found: `shape [${x.npy.shape}]`,
        at: x.at,
        expected: 'one row per sample, [n, ...]',
        remedy: 'Reshape the array.',
      });
    }
    const labels = await readLabels(zip, y, samples, x.at);
    const scale = x.npy.dtype === 'u1' && !(bounds[0] === 0 && bounds[1] === 255) ? 255 : 1;
    const size = shape.reduce((product, n) => product * n, 1);
    const numbers = await readerOf(zip, x, size);
    return {
      name,
      fingerprint: await fingerprint(path),
      samples,
      shape,
      async batch(from, to) {
        const at = await numbers(path, from, to);
        const data = new Float32Array((to - from) * size);
        for (let i = 0; i < data.length; i++) data[i] = at(i) / scale;
        return {
          ids: Array.from({ length: to - from }, (_, i) => from + i),
          x: tensor(data, [to - from, ...shape]),
          y: labels.slice(from, to),
        };
      },
    };
  });
}

/** Uses a file, and closes it. @throws GauntletError `input` where it cannot be opened. */
export async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
    throw unexpected(
      {
        found: cause.code === 'ENOENT' ? 'missing file' : `file that cannot be opened (${cause.code})`,
        at: path,
        expected: 'an .npz file',
        remedy: 'Check the path.',
      },
      { cause },
    );
  });
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

interface Found {
  readonly entry: Entry;
  readonly npy: Npy;
  readonly at: string;
}

/** Looks an array up and checks what the archive says about it, before anything is inflated. */
export async function find(
  zip: Zip,
  array: string,
  file: string,
  dtypes: readonly string[],
  expected: string,
): Promise<Found> {
  const at = `array '${array}' of ${file}`;
  const entry = zip.entries.find(({ name }) => name === `${array}.npy`);
  if (entry === undefined) {
    const held = zip.entries.map(({ name }) => name.replace(/\.npy$/, '')).slice(0, 8);
    throw unexpected({
      found: `missing array '${array}'`,
      at: file,
      expected: `'${array}' among ${held.length === 0 ? 'its arrays, of which it has none' : `its arrays (${held.join(', ')})`}`,
      remedy:
        'Save it with numpy.savez(path, x=samples, y=labels), or name the arrays with --set npz.x and npz.y.',
    });
  }
  if (entry.method !== 0 && entry.method !== 8) {
    throw unexpected({
      found: `compression method ${entry.method}`,
      at,
      expected: 'none, or deflate',
      remedy: 'Save the file with numpy.savez.',
    });
  }
  const npy = parseHeader(await zip.head(entry, LONGEST_HEADER), at);
  if (!dtypes.includes(npy.dtype)) {
    throw unexpected({
      found: `dtype ${npy.dtype}`,
      at,
      expected,
      remedy: 'Convert the array with .astype.',
    });
  }
  const declared = npy.start + npy.count * npy.itemSize;
  if (entry.size !== declared || (entry.method === 0 && entry.packed !== entry.size)) {
    throw unexpected({
      found: `${entry.size} bytes`,
      at,
      expected: `${declared}, as its shape [${npy.shape}] says`,
      remedy: 'Copy or save the file again.',
    });
  }
  return { entry, npy, at };
}

/** The bytes of an array's numbers. */
export async function readWhole(zip: Zip, { entry, npy, at }: Found): Promise<Buffer> {
  if (entry.size > LARGEST_IN_MEMORY || entry.packed > LARGEST_IN_MEMORY) {
    throw unexpected({
      found: `${entry.size} bytes to be held in memory`,
      at,
      expected: `at most ${LARGEST_IN_MEMORY}`,
      remedy: 'Save it with numpy.savez (not compressed, in C order): then it is read piece by piece.',
    });
  }
  return (await zip.whole(entry)).subarray(npy.start);
}

/** Gives, for a range of samples, a function from a number's place in the range to the number. */
async function readerOf(
  zip: Zip,
  found: Found,
  size: number,
): Promise<(path: string, from: number, to: number) => Promise<(i: number) => number>> {
  const { entry, npy } = found;
  if (entry.method === 0 && !npy.fortran) {
    return (path, from, to) =>
      withFile(path, async (file) => {
        const start = entry.start + npy.start + from * size * npy.itemSize;
        const bytes = Buffer.alloc((to - from) * size * npy.itemSize);
        await file.read(bytes, 0, bytes.length, start);
        return reader(npy, bytes);
      });
  }
  const at = reader(npy, await readWhole(zip, found));
  return async (_path, from) => (i) => at(from * size + i);
}

async function readLabels(zip: Zip, y: Found, samples: number, xAt: string): Promise<Int32Array> {
  const { npy, at } = y;
  const column = npy.shape.length === 1 || (npy.shape.length === 2 && npy.shape[1] === 1);
  if (!column || npy.shape[0] !== samples) {
    throw unexpected({
      found: `shape [${npy.shape}]`,
      at,
      expected: `[${samples}], one class id for each sample of ${xAt}`,
      remedy: 'Save as many labels as samples, as class ids and not one-hot.',
    });
  }
  const label = reader(npy, await readWhole(zip, y));
  return Int32Array.from({ length: samples }, (_, i) => {
    const value = label(i);
    if (value === (value | 0)) return value;
    throw unexpected({
      found: `label ${value}`,
      at: `sample ${i} of ${at}`,
      expected: 'a class id',
      remedy: 'Mend the labels.',
    });
  });
}

async function fingerprint(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
