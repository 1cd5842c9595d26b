import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseOptions } from '@gauntlet/core';
import sharp from 'sharp';
import images from './index.js';

interface Recorded {
  readonly file: string;
  readonly rgb: number[][][];
  readonly grey: number[][];
}

const { cases } = JSON.parse(
  readFileSync(`${import.meta.dirname}/../../../fixtures/files/images.json`, 'utf8'),
) as { cases: Record<string, Recorded> };

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'images-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const put = (path: string, content: string | Uint8Array) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
};
const bytesOf = (name: string) => Buffer.from(cases[name]!.file, 'base64');
const solid = (value: number, width = 2, height = 2) =>
  sharp({ create: { width, height, channels: 3, background: { r: value, g: value, b: value } } })
    .png()
    .toBuffer();

const open = async (
  shape?: readonly number[],
  options: object = {},
  bounds: readonly [number, number] = [0, 255],
) =>
  images.open(folder, {
    bounds,
    ...(shape && { shape }),
    options: await parseOptions(images.options, options, images.id),
  });
const labels = async () => {
  const set = await open([1, 2, 2]);
  const { ids, y } = await set.batch(0, set.samples);
  return Object.fromEntries(ids.map((id, i) => [id, y[i]]));
};

describe('pixels are those that Pillow reads', () => {
  const { rgb } = cases['rgb.png']!;
  const first = (channel: number, image = rgb) => image.flat().map((pixel) => pixel[channel]!);
  const planes = (image: number[][][]) => [0, 1, 2].flatMap((channel) => first(channel, image));
  it.each(Object.keys(cases))('of %s, in every layout', async (name) => {
    put(`0/${name}`, bytesOf(name));
    const read = async (shape: number[]) => [...(await (await open(shape)).batch(0, 1)).x.data];
    const recorded = cases[name]!;
    expect(await read([3, 6, 5])).toEqual(planes(recorded.rgb));
    expect(await read([6, 5, 3])).toEqual(recorded.rgb.flat(2));
    expect(await read([1, 6, 5])).toEqual(recorded.grey.flat());
    expect(await read([6, 5, 1])).toEqual(recorded.grey.flat());
    expect(await read([6, 5])).toEqual(recorded.grey.flat());
    const plain = await open();
    const again = plain.as!([6, 5, 3]);
    expect([...(await again.batch(0, 1)).x.data]).toEqual(recorded.rgb.flat(2));
    expect(again.fingerprint).toBe(plain.fingerprint);
  });

  it('leaves colour profiles alone', async () => {
    const tagged = await sharp(bytesOf('rgb.png')).withIccProfile('p3').png().toBuffer();
    put('0/p3.png', tagged);
    const stored = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
    const converted = await sharp(tagged).raw().toBuffer();
    expect(stored.equals(converted)).toBe(false);
    expect([...(await (await open([6, 5, 3])).batch(0, 1)).x.data]).toEqual([...stored]);
  });

  it('takes the size of the first image where the model says none', async () => {
    put('0/a.png', bytesOf('rgb.png'));
    expect((await open()).shape).toEqual([3, 6, 5]);
  });

  it.each([
    [[0, 1], 51 / 255],
    [[-1, 1], 51 / 255],
    [[0, 255], 51],
  ] as const)('are scaled to %p', async (bounds, expected) => {
    put('0/a.png', await solid(51));
    const { x } = await (await open([1, 2, 2], {}, bounds)).batch(0, 1);
    expect(x.data).toEqual(new Float32Array(4).fill(expected));
  });
});

describe('classes', () => {
  it('are the sorted names of the subfolders', async () => {
    for (const name of ['dog/2.png', 'cat/a.PNG', 'dog/1.png', 'eel/x.jpeg']) {
      put(
        name,
        name.endsWith('jpeg')
          ? await sharp(await solid(9))
              .jpeg()
              .toBuffer()
          : await solid(9),
      );
    }
    put('cat/notes.txt', 'not an image');
    put('.hidden/a.png', 'not looked at');
    expect(await labels()).toEqual({ 'cat/a.PNG': 0, 'dog/1.png': 1, 'dog/2.png': 1, 'eel/x.jpeg': 2 });
    const set = await open();
    expect(set.classes).toEqual(['cat', 'dog', 'eel']);
    expect(set.as!([2, 2, 3]).classes).toEqual(['cat', 'dog', 'eel']);
  });

  it('are the names themselves where these are numbers', async () => {
    for (const name of ['7/a.png', '10/a.png']) put(name, await solid(9));
    expect(await labels()).toEqual({ '10/a.png': 10, '7/a.png': 7 });
    expect((await open()).classes).toBeUndefined();
  });

  it.each([
    ['numbers', 'file,label\nb.png,3\nsub/a.png,1\n', { 'b.png': 3, 'sub/a.png': 1 }],
    ['names', '\ufefflabel, file\r\ndog, b.png\r\ncat, sub/a.png\r\n', { 'b.png': 1, 'sub/a.png': 0 }],
  ])('are listed in labels.csv, as %s', async (_, list, expected) => {
    put('b.png', await solid(1));
    put('sub/a.png', await solid(2));
    put('labels.csv', list);
    expect(await labels()).toEqual(expected);
  });
});

describe('images of another size', () => {
  beforeEach(async () => put('0/wide.png', await solid(100, 8, 2)));

  it('are refused', async () => {
    const set = await open([1, 4, 4]);
    await expect(set.batch(0, 1)).rejects.toThrow(
      /Unexpected image of 8 x 2 pixels at .*wide.png, expected 4 x 4, .* --set images.resize=fill/,
    );
  });

  it.each(['fill', 'cover'])('are made to fit by %s', async (resize) => {
    const { x } = await (await open([1, 4, 4], { resize })).batch(0, 1);
    expect(x.data).toEqual(new Float32Array(16).fill(100));
  });
});

it('names the folder by names, labels and contents', async () => {
  put('0/a.png', await solid(1));
  put('1/b.png', await solid(2));
  const before = (await open([1, 2, 2])).fingerprint;
  const copy = mkdtempSync(join(tmpdir(), 'images-'));
  cpSync(folder, copy, { recursive: true });
  expect((await images.open(copy, { bounds: [0, 255], options: { resize: 'none' } })).fingerprint).toBe(
    before,
  );
  rmSync(copy, { recursive: true });

  put('1/b.png', await solid(3));
  const changed = (await open([1, 2, 2])).fingerprint;
  put('labels.csv', 'file,label\n0/a.png,0\n1/b.png,0\n');
  expect(new Set([before, changed, (await open([1, 2, 2])).fingerprint]).size).toBe(3);
});

describe('bad input is one sentence', () => {
  const refusal = (message: string) => ({ code: 'input', message: expect.stringContaining(message) });

  it.each([
    ['not an image', Buffer.from('hello')],
    ['a cut PNG', bytesOf('rgb.png').subarray(0, 100)],
    ['a cut JPEG', bytesOf('rgb.jpg').subarray(0, 640)],
    ['nothing', Buffer.alloc(0)],
  ])('%s, naming the file', async (_, bytes) => {
    put('0/bad.png', bytes);
    const read = open([3, 6, 5]).then((set) => set.batch(0, 1));
    await expect(read).rejects.toMatchObject(
      refusal(`Unexpected damaged image at ${join(folder, '0/bad.png')}`),
    );
  });

  it('a first image that does not tell its size', async () => {
    put('0/bad.png', 'hello');
    await expect(open()).rejects.toMatchObject(refusal('Unexpected damaged image at'));
  });

  it('an empty folder, an empty class', async () => {
    await expect(open([1, 2, 2])).rejects.toMatchObject(refusal('neither subfolders nor a labels.csv'));
    mkdirSync(join(folder, '3'));
    await expect(open([1, 2, 2])).rejects.toMatchObject(refusal('Unexpected missing images at'));
  });

  it('a model that takes no images', async () => {
    put('0/a.png', await solid(1));
    await expect(open([4])).rejects.toMatchObject(refusal('Unexpected samples of shape [4] at the model'));
    await expect(open([5, 4, 4])).rejects.toMatchObject(refusal('Unexpected samples of shape [5,4,4]'));
  });

  it.each([
    ['no rows', 'file,label\n', 'no rows at'],
    ['other columns', 'path,class\na.png,1\n', 'its columns are path, class'],
    ['no label', 'file,label\na.png,\n', 'Unexpected missing label at row 1'],
    ['a file twice', 'file,label\na.png,1\na.png,2\n', "file 'a.png' twice"],
    ['a missing file', 'file,label\na.png,1\nb.png,2\n', "file 'b.png', which is not there at row 2"],
    ['no image', 'file,label\nlabels.csv,1\n', "file 'labels.csv'"],
    ['a quote left open', 'file,label\n"a.png,1\n', 'list that cannot be read'],
    ['a way out', 'file,label\n../outside.png,1\n', "file '../outside.png' at row 1"],
    ['a way out by a link', 'file,label\nlink/outside.png,1\n', "file 'link/outside.png' at row 1"],
    ['an absolute path', 'file,label\n/etc/a.png,1\n', "file '/etc/a.png'"],
  ])('a list with %s', async (_, list, message) => {
    const outside = mkdtempSync(join(tmpdir(), 'outside-'));
    writeFileSync(join(outside, 'outside.png'), await solid(1));
    writeFileSync(join(dirname(folder), 'outside.png'), await solid(1));
    symlinkSync(outside, join(folder, 'link'));
    put('a.png', await solid(1));
    put('labels.csv', list);
    await expect(open([1, 2, 2])).rejects.toMatchObject(refusal(message));
    rmSync(outside, { recursive: true });
    rmSync(join(dirname(folder), 'outside.png'));
  });
});
