import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { type Dataset, type DatasetSettings, unexpected } from '@gauntlet/core';
import { row, tensor } from '@gauntlet/tensor';
import sharp, { type ResizeOptions } from 'sharp';
import { type ImageFile, listImages } from './files.js';
import type { ImageOptions } from './index.js';
import { type Layout, layoutOf, place } from './layout.js';

/** Opens a folder of images as samples that fit the model. Pixels are divided by 255 unless the bounds are [0, 255]. */
export async function openImages(
  path: string,
  { bounds, shape }: DatasetSettings,
  { resize }: ImageOptions,
): Promise<Dataset> {
  const { images: files, ...named } = await listImages(path);
  const facts = {
    name: basename(resolve(path)),
    fingerprint: await fingerprint(files),
    samples: files.length,
    ...named,
  };
  const scale = bounds[0] === 0 && bounds[1] === 255 ? 1 : 255;
  const inLayout = (layout: Layout): Dataset => ({
    ...facts,
    shape: layout.shape,
    async batch(from, to) {
      const some = files.slice(from, to);
      const size = layout.shape.reduce((product, n) => product * n, 1);
      const x = tensor(new Float32Array(some.length * size), [some.length, ...layout.shape]);
      await Promise.all(
        some.map(async (file, i) => place(await decode(file, layout, resize), layout, scale, row(x, i))),
      );
      return { ids: some.map(({ id }) => id), x, y: Int32Array.from(some, ({ label }) => label) };
    },
    as: (other) => inLayout(layoutOf(other)),
  });
  return inLayout(layoutOf(shape ?? (await shapeOf(files[0]!))));
}

const unreadable = (path: string, cause: unknown) =>
  unexpected(
    {
      found: 'damaged image',
      at: path,
      expected: 'a whole PNG or JPEG file',
      remedy: 'Mend or remove the file.',
    },
    { cause },
  );

/** Colour profiles and orientation marks are left alone, as training pipelines in Python leave them. */
const open = (bytes: Buffer) => sharp(bytes, { failOn: 'error', ignoreIcc: true });

async function shapeOf({ path }: ImageFile): Promise<readonly number[]> {
  try {
    const { height, width } = await open(await readFile(path)).metadata();
    return [3, height, width];
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** 8-bit RGB pixels, row by row, in the size of the layout. */
async function decode(
  { path }: ImageFile,
  { height, width }: Layout,
  resize: ImageOptions['resize'],
): Promise<Uint8Array> {
  const { data, info } = await pixels(path, resize === 'none' ? null : { width, height, fit: resize });
  if (info.height !== height || info.width !== width) {
    throw unexpected({
      found: `image of ${info.width} x ${info.height} pixels`,
      at: path,
      expected: `${width} x ${height}, as the model takes`,
      remedy:
        'Stretch images with --set images.resize=fill, or scale and cut them with --set images.resize=cover.',
    });
  }
  return info.channels === 3 ? data : repeated(data);
}

async function pixels(path: string, size: ResizeOptions | null) {
  try {
    const image = open(await readFile(path))
      .removeAlpha()
      .toColourspace('srgb');
    const fitted = size === null ? image : image.resize(size);
    return await fitted.raw().toBuffer({ resolveWithObject: true });
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Grey as RGB. */
const repeated = (grey: Uint8Array) =>
  Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)]!);

async function fingerprint(files: readonly ImageFile[]): Promise<string> {
  const hash = createHash('sha256');
  for (const { id, path, label } of files) {
    const content = createHash('sha256').update(await readFile(path));
    hash.update(`${JSON.stringify([id, label])} ${content.digest('hex')}\n`);
  }
  return hash.digest('hex');
}
