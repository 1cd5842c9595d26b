import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type DatasetFiles, testDataset } from '@gauntlet/testing';
import sharp from 'sharp';
import images from './index.js';

const [height, width] = [4, 5];
/** Pixel by pixel: red, green, blue. */
const pixels = (i: number) => Array.from({ length: height * width * 3 }, (_, j) => (37 * i + 11 * j) % 256);
const planes = (image: number[]) => [0, 1, 2].flatMap((c) => image.filter((_, j) => j % 3 === c));

let folder = '';
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'images-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function files(): Promise<DatasetFiles> {
  const put = async (path: string, content: number[] | string) => {
    const at = join(folder, path);
    mkdirSync(dirname(at), { recursive: true });
    const raw = { raw: { width, height, channels: 3 } } as const;
    const bytes =
      typeof content === 'string' ? content : await sharp(Uint8Array.from(content), raw).png().toBuffer();
    writeFileSync(at, bytes);
  };
  const y = [0, 0, 1, 2];
  for (const [i, label] of y.entries()) {
    await put(`data/${label}/${i}.png`, pixels(i));
    await put(`other/${label}/${i}.png`, pixels(i === 3 ? 9 : i));
    await put(`cut/${label}/${i}.png`, i === 3 ? 'no image' : pixels(i));
  }
  await put('unlabelled/a.png', pixels(0));
  mkdirSync(join(folder, 'empty'), { recursive: true });
  const at = (name: string) => join(folder, name);
  return {
    path: at('data'),
    other: at('other'),
    damaged: ['missing', 'cut', 'unlabelled', 'empty'].map(at),
    x: y.map((_, i) => planes(pixels(i))),
    y,
    shape: [3, height, width],
  };
}

testDataset(images, { files });
