import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { choose } from './gallery.js';
import { readGallery, readRun } from './index.js';
import { layoutOf, perturbationOf, pictureOf } from './picture.js';
import { encodePng, type Picture } from './png.js';
import { planOf, rowOf, runOf, writeRun } from './testing/run.js';

const BROKEN = rowOf({ sample: 0, verdict: 'broken' });

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'gallery-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** What libvips reads from a PNG file. */
async function decoded(bytes: Buffer): Promise<Picture> {
  const { channels } = await sharp(bytes).metadata();
  const image = channels === 1 ? sharp(bytes).toColourspace('b-w') : sharp(bytes);
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    channels: channels as 1 | 3,
    pixels: new Uint8Array(data),
  };
}

const fromUrl = (url: string) => Buffer.from(url.replace('data:image/png;base64,', ''), 'base64');

it.each([1, 3] as const)('writes PNG files of %d channels that another library reads', async (channels) => {
  const pixels = Uint8Array.from({ length: 5 * 7 * channels }, (_, i) => (i * 37) % 256);
  const picture = { width: 5, height: 7, channels, pixels };
  expect(await decoded(encodePng(picture))).toEqual(picture);
});

it.each([
  [[1, 28, 28], { width: 28, height: 28, channels: 1, planes: true }],
  [[3, 32, 48], { width: 48, height: 32, channels: 3, planes: true }],
  [[32, 48, 3], { width: 48, height: 32, channels: 3, planes: false }],
  [[28, 28], { width: 28, height: 28, channels: 1, planes: true }],
  [[784], null],
  [[2, 28, 28], null],
  [[1, 1, 784], null],
  [[3, 5, 2, 2], null],
])('takes samples of shape %p for %p', (shape, layout) => {
  expect(layoutOf(shape)).toEqual(layout);
});

it.each([
  ['planes', [3, 4, 4]],
  ['pixels', [4, 4, 3]],
])('draws colours that lie in %s', (_, shape) => {
  const layout = layoutOf(shape)!;
  const place = (pixel: number, channel: number) =>
    layout.planes ? 16 * channel + pixel : 3 * pixel + channel;
  const sample = new Float32Array(48);
  sample[place(5, 0)] = 1;
  sample[place(6, 2)] = 0.5;
  const { pixels } = pictureOf(sample, layout, [0, 1]);
  expect([...pixels.slice(15, 21)]).toEqual([255, 0, 0, 0, 0, 128]);
});

it('magnifies what was added until it just fits', () => {
  const layout = layoutOf([4, 4])!;
  const clean = new Float32Array(16).fill(100);
  const adversarial = clean.map((value, i) => value + (i === 0 ? 4 : i === 1 ? -2 : 0));
  const { gain, pixels } = perturbationOf(clean, adversarial, layout, [0, 255]);
  expect(gain).toBeCloseTo(255 / 8, 9);
  expect([...pixels.slice(0, 3)]).toEqual([255, 64, 128]);
  expect(perturbationOf(clean, clean, layout, [0, 255]).gain).toBe(1);
});

it('takes the nearest of each attack and a spread over the others, the attacks in turn', () => {
  const rows = ['attack/a', 'attack/b'].flatMap((attack) =>
    Array.from({ length: 1000 }, (_, sample) =>
      rowOf({
        sample,
        attack,
        verdict: attack === 'attack/b' && sample >= 30 ? 'held' : 'broken',
        ...{ distance: { l0: 1, l1: 1, l2: 1, linf: 1 - sample / 2000 } },
      }),
    ),
  );
  const { chosen, broken } = choose(rows);
  expect(broken).toBe(1030);
  expect(new Set(chosen).size).toBe(chosen.length);
  expect(chosen).toHaveLength(150);
  expect(chosen.slice(0, 3)).toEqual([999, 1029, expect.any(Number)]);
  const own = chosen.filter((place) => place < 1000);
  expect(own).toHaveLength(120);
  // The nearest 60, and the farthest of all among the rest.
  expect(own.filter((place) => place >= 940)).toHaveLength(60);
  expect(Math.min(...own)).toBe(0);
});

it('shows a sample once for each attack, where it was moved least', async () => {
  const at = (epsilon: number) =>
    rowOf({ sample: 0, epsilon, verdict: 'broken', distance: { l0: 1, l1: 1, l2: 1, linf: epsilon } });
  const rows = [
    at(0.2),
    at(0.1),
    rowOf({ sample: 1, verdict: 'held' }),
    rowOf({ sample: 1, epsilon: 0.2, verdict: 'held' }),
  ];
  const x = new Float32Array(4 * 16).fill(0.2);
  const xAdv = x.map((value, i) => (i === 16 ? value + 0.1 : i === 0 ? value + 0.2 : value));
  await writeRun(folder, runOf(rows), { shape: [1, 4, 4], x, xAdv });
  const gallery = await readGallery(folder, await readRun(folder, 'run'));
  expect(gallery).toMatchObject({ broken: 1, layout: { width: 4, height: 4 } });
  const [piece] = gallery!.pieces;
  expect(piece!.row.epsilon).toBe(0.1);
  expect(piece!.gain).toBeCloseTo(5, 5);
  expect([...(await decoded(fromUrl(piece!.adversarial))).pixels.slice(0, 2)]).toEqual([77, 51]);
  expect([...(await decoded(fromUrl(piece!.clean))).pixels.slice(0, 2)]).toEqual([51, 51]);
});

it('shows what an unfinished run broke so far', async () => {
  const rows = [rowOf({ sample: 0, verdict: 'held' }), rowOf({ sample: 1, verdict: 'broken' })];
  const run = {
    ...runOf(rows, { shape: [1, 4, 4], data: { name: 'd', fingerprint: '', samples: 3 } }),
    audit: null,
  };
  // A third row is being written: its numbers are there, and it is not.
  const x = new Float32Array(3 * 16).fill(0.2);
  const xAdv = x.map((value, i) => (i === 16 ? value + 0.1 : value));
  await writeRun(folder, run, { shape: [1, 4, 4], x, xAdv });
  const gallery = await readGallery(folder, await readRun(folder, 'run'));
  expect(gallery).toMatchObject({ broken: 1, pieces: [{ row: { sample: 1 } }] });
  const [piece] = gallery!.pieces;
  expect([...(await decoded(fromUrl(piece!.adversarial))).pixels.slice(0, 2)]).toEqual([77, 51]);
  expect([...(await decoded(fromUrl(piece!.clean))).pixels.slice(0, 2)]).toEqual([51, 51]);
});

it.each<[string, readonly number[], object]>([
  ['samples that are no pictures', [16], {}],
  ['a run that does not say their shape', [1, 4, 4], { audit: null }],
  [
    'a run whose numbers are not all there',
    [2, 4, 4],
    { audit: null, plan: planOf([BROKEN], { shape: [2, 4, 4] }) },
  ],
])('has no pictures of %s', async (_, shape, change) => {
  const x = new Float32Array(16);
  await writeRun(folder, { ...runOf([BROKEN]), ...change }, { shape, x, xAdv: x });
  expect(await readGallery(folder, await readRun(folder, 'run'))).toBeNull();
});

it('refuses arrays that do not belong to the rows', async () => {
  const run = runOf([rowOf({ sample: 0, verdict: 'broken' })]);
  const x = new Float32Array(16);
  await writeRun(folder, runOf([rowOf({ sample: 0, verdict: 'broken', label: 3 })]), {
    shape: [4, 4],
    x,
    xAdv: x,
  });
  await expect(readGallery(folder, run)).rejects.toThrow(
    'adversarial.npz whose row 0 has another label at run',
  );
});
