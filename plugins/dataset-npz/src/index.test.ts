import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { parseOptions } from '@gauntlet/core';
import npz, { formatHeader, readNpz, writeNpz } from './index.js';

interface Recorded {
  readonly file: string;
  readonly shape: number[];
  readonly x: (number | string)[];
  readonly y: number[];
}

const { cases } = JSON.parse(
  readFileSync(`${import.meta.dirname}/../../../fixtures/files/npz.json`, 'utf8'),
) as { cases: Record<string, Recorded> };

let folder = '';
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'npz-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const place = (bytes: Uint8Array, name = 'data.npz') => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};
const recorded = (name: string) => Buffer.from(cases[name]!.file, 'base64');

const open = async (path: string, bounds: readonly [number, number] = [0, 1], options: object = {}) =>
  npz.open(path, { bounds, options: await parseOptions(npz.options, options, npz.id) });

describe('what NumPy wrote', () => {
  it.each(Object.keys(cases))('%s', async (name) => {
    const { shape, x, y } = cases[name]!;
    const set = await open(place(recorded(name)), [0, 255]);
    expect({ samples: set.samples, shape: set.shape, name: set.name }).toEqual({
      samples: y.length,
      shape,
      name: 'data.npz',
    });
    const all = await set.batch(0, y.length);
    expect(all.x.data).toEqual(Float32Array.from(x, Number));
    expect([...all.y]).toEqual(y);
    expect(all.ids).toEqual(y.map((_, i) => i));

    const size = all.x.data.length / y.length;
    const last = await set.batch(y.length - 1, y.length);
    expect(last).toEqual({
      ids: [y.length - 1],
      x: { data: all.x.data.slice(-size), shape: [1, ...shape] },
      y: all.y.slice(-1),
    });
  });
});

describe('8-bit samples', () => {
  const { x } = cases['x u1']!;
  it.each([
    [[0, 1], 255],
    [[-1, 1], 255],
    [[0, 255], 1],
  ] as const)('within %p are divided by %p', async (bounds, scale) => {
    const set = await open(place(recorded('x u1')), bounds);
    expect((await set.batch(0, 3)).x.data).toEqual(Float32Array.from(x, (value) => Number(value) / scale));
  });
});

it('takes arrays of other names', async () => {
  const path = join(folder, 'named.npz');
  const one = new Uint8Array(Float32Array.of(1, 2).buffer);
  await writeNpz(path, [
    { name: 'images', dtype: '<f4', shape: [2, 1], data: [one] },
    { name: 'labels', dtype: '|u1', shape: [2], data: [Uint8Array.of(3, 4)] },
  ]);
  const set = await open(path, [0, 1], { x: 'images', y: 'labels' });
  expect([...(await set.batch(0, 2)).y]).toEqual([3, 4]);
});

it('names the file by its content', async () => {
  const [a, again, b] = [
    place(recorded('x f4'), 'a.npz'),
    place(recorded('x f4'), 'c.npz'),
    place(recorded('x f8'), 'b.npz'),
  ];
  expect((await open(a)).fingerprint).toBe((await open(again)).fingerprint);
  expect((await open(a)).fingerprint).not.toBe((await open(b)).fingerprint);
});

/** A zip archive of one deflated member, whose directory says what the test wants it to say. */
function archive(name: string, content: Buffer, size = content.length): Buffer {
  const packed = deflateRawSync(content);
  const common = (start: number, extra: number[]) => {
    const header = Buffer.alloc(26 + extra.length * 2);
    [20, 0, 8, 0, 0].forEach((value, i) => header.writeUInt16LE(value, i * 2));
    [0, packed.length, size].forEach((value, i) => header.writeUInt32LE(value, 10 + i * 4));
    header.writeUInt16LE(name.length, 22);
    return header.subarray(start);
  };
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common(0, []), Buffer.from(name)]);
  const central = Buffer.concat([
    Buffer.from('PK\x01\x02\x14\x00'),
    common(0, []),
    Buffer.alloc(14),
    Buffer.from(name),
  ]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length + packed.length, 16);
  return Buffer.concat([local, packed, central, end]);
}

const npy = (dtype: string, shape: number[], numbers: Uint8Array = new Uint8Array()) =>
  Buffer.concat([formatHeader(dtype, shape), numbers]);

describe('bad input is one sentence', () => {
  const numbers = (dtype: string, shape: number[], bytes: number, name: string) => ({
    name,
    dtype,
    shape,
    data: [new Uint8Array(bytes)],
  });
  const x = numbers('<f4', [2, 3], 24, 'x');
  const y = numbers('<i8', [2], 16, 'y');

  it.each([
    ['no x', [y], "Unexpected missing array 'x' at"],
    ['no y', [x], "Unexpected missing array 'y' at"],
    ['no arrays', [], 'of which it has none'],
    ['complex x', [numbers('<c8', [2, 3], 48, 'x'), y], 'Unexpected dtype c8 at array'],
    ['integer x', [numbers('<i4', [2, 3], 24, 'x'), y], 'expected float16, float32, float64 or uint8'],
    ['float y', [x, numbers('<f4', [2], 8, 'y')], 'Unexpected dtype f4 at array'],
    ['text y', [x, numbers('<U1', [2], 8, 'y')], 'Unexpected dtype U1 at array'],
    ['more y than x', [x, numbers('<i8', [3], 24, 'y')], 'Unexpected shape [3] at array'],
    ['one-hot y', [x, numbers('<i8', [2, 3], 48, 'y')], 'Unexpected shape [2,3] at array'],
    ['x without rows', [numbers('<f4', [2], 8, 'x'), y], 'Unexpected shape [2] at array'],
    ['a scalar', [numbers('<f4', [], 4, 'x'), y], 'Unexpected shape [] at array'],
    ['fewer bytes than the shape says', [numbers('<f4', [2, 3], 20, 'x'), y], 'Unexpected 148 bytes at'],
    ['more bytes than the shape says', [numbers('<f4', [2, 3], 2400, 'x'), y], 'Unexpected 2528 bytes at'],
  ])('%s', async (_, members, message) => {
    const path = join(folder, 'bad.npz');
    await writeNpz(path, members);
    await expect(open(path)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining(message),
    });
  });

  it('labels that are no 32-bit integers', async () => {
    const path = join(folder, 'bad.npz');
    const wide = new Uint8Array(BigInt64Array.of(0n, 2n ** 32n).buffer);
    await writeNpz(path, [x, { name: 'y', dtype: '<i8', shape: [2], data: [wide] }]);
    await expect(open(path)).rejects.toThrow('Unexpected label 4294967296 at sample 1 of array');
  });

  it.each([0, 1, 21, 100, 300, -1, -10, -22, -60])('a file that is cut at byte %p', async (at) => {
    const path = place(recorded('compressed'));
    truncateSync(path, at < 0 ? recorded('compressed').length + at : at);
    await expect(open(path)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringMatching(/^Unexpected .* at .*, expected .*\. \w.*\.$/),
    });
  });

  it.each([
    ['text', Buffer.from('not a zip archive, but long enough to hold an end record of one')],
    ['a member that is no array', archive('x.npy', Buffer.from('not an array at all'))],
    ['an endless header', archive('x.npy', Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\x00', 'latin1'))],
    ['an object array', archive('x.npy', npy('|O', [2, 3]))],
  ])('%s', async (_, bytes) => {
    await expect(open(place(bytes))).rejects.toMatchObject({ code: 'input' });
  });

  it('refuses a bomb before it goes off', async () => {
    // One array is samples and labels at once, so that it is inflated when the file is opened.
    const twice = { x: 'x', y: 'x' };
    const zeros = npy('|u1', [24, 1], new Uint8Array(1_000_000));
    await expect(open(place(archive('x.npy', zeros)), [0, 1], twice)).rejects.toThrow(
      'Unexpected 1000128 bytes',
    );
    await expect(open(place(archive('x.npy', zeros, 152)), [0, 1], twice)).rejects.toMatchObject({
      message: expect.stringContaining('Unexpected damaged data at x.npy'),
      cause: { code: 'ERR_BUFFER_TOO_LARGE' },
    });
    const huge = archive('x.npy', npy('|u1', [2 ** 31, 1]), 2 ** 31 + 128);
    await expect(open(place(huge), [0, 1], twice)).rejects.toThrow('bytes to be held in memory');
  });

  it('damaged numbers', async () => {
    const bytes = recorded('compressed');
    bytes[120]! ^= 0xff;
    await expect(open(place(bytes))).rejects.toMatchObject({ code: 'input' });
  });

  it('never fails in another way, whatever byte is changed', async () => {
    for (const name of ['compressed', 'x f4']) {
      const whole = recorded(name);
      for (let at = 0; at < whole.length; at++) {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at]! + 1 + ((at * 37) % 255)) % 256;
        const outcome = await open(place(bytes)).then(
          (set) => set.batch(0, Math.min(set.samples, 3)).then(() => 'read'),
          (error: { code?: string; message: string }) =>
            error.code === 'input' ? 'refused' : `byte ${at}: ${error.message}`,
        );
        expect(['read', 'refused']).toContain(outcome);
      }
    }
  });
});

describe('the writer', () => {
  it('writes what NumPy writes, in whatever pieces it comes', async () => {
    const numbers = new Uint8Array(Float32Array.from({ length: 24 }, (_, i) => i / 7).buffer);
    async function* pieces() {
      yield numbers.subarray(0, 10);
      yield new Uint8Array();
      yield numbers.subarray(10);
    }
    const path = join(folder, 'written.npz');
    await writeNpz(path, [
      { name: 'x', dtype: '<f4', shape: [4, 2, 3], data: pieces() },
      {
        name: 'y',
        dtype: '<i8',
        shape: [4],
        data: [new Uint8Array(BigInt64Array.of(1n, 0n, 2n, 9n).buffer)],
      },
    ]);
    const set = await open(path);
    const { x, y } = await set.batch(0, 4);
    expect([set.shape, new Uint8Array(x.data.buffer), [...y]]).toEqual([[2, 3], numbers, [1, 0, 2, 9]]);
  });

  it('is read again, array by array', async () => {
    const path = join(folder, 'arrays.npz');
    const [small, large] = [Float32Array.of(0.1, -1, 3), Float64Array.of(0.1)];
    await writeNpz(path, [
      { name: 'small', dtype: '<f4', shape: [1, 3], data: [new Uint8Array(small.buffer)] },
      { name: 'large', dtype: '<f8', shape: [], data: [new Uint8Array(large.buffer)] },
    ]);
    expect(await readNpz(path)).toEqual({
      small: { data: Float64Array.from(small), shape: [1, 3] },
      large: { data: large, shape: [] },
    });
    await expect(readNpz(place(recorded('x f4')))).rejects.toThrow(/^Unexpected dtype i\d at array 'y' of/);
    writeFileSync(path, readFileSync(path).subarray(0, 300));
    await expect(readNpz(path)).rejects.toThrow(/^Unexpected .*expected a whole \.npz file/);
  });

  it('writes arrays without numbers', async () => {
    const path = join(folder, 'none.npz');
    await writeNpz(path, [
      { name: 'x', dtype: '<f4', shape: [0, 3], data: [] },
      { name: 'y', dtype: '<i8', shape: [0], data: [new Uint8Array()] },
    ]);
    const set = await open(path);
    expect([set.samples, set.shape, (await set.batch(0, 0)).x.shape]).toEqual([0, [3], [0, 3]]);
  });

  it.each([
    ['<f4', [3, 4]],
    ['<U11', [1200]],
    ['|u1', []],
    ['<f8', [100_000, 3, 224, 224]],
  ])('aligns the numbers of %s %p', (dtype, shape) => {
    const header = formatHeader(dtype, shape);
    expect(header.length % 64).toBe(0);
    expect(header.readUInt16LE(8)).toBe(header.length - 10);
    expect(header.at(-1)).toBe(0x0a);
  });
});
