import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { defineDataset, unexpected } from '@gauntlet/core';
import { tensor } from '@gauntlet/tensor';
import { z } from 'zod';

const IMAGES = /images(.)idx3-ubyte$/;

/**
 * Grey images in the IDX format of MNIST (LeCun et al. 1998): t10k-images-idx3-ubyte, with t10k-labels-idx1-ubyte beside it. Write here which files yours
 * opens.
 */
export default defineDataset({
  id: 'dataset/__NAME__',
  summary: 'Grey images in the IDX format of MNIST, with their labels.',
  options: z.strictObject({}),
  opens: (path) => IMAGES.test(path),
  async open(path, { bounds, shape: wanted }) {
    const images = await readIdx(path, 3);
    const labels = await readIdx(path.replace(IMAGES, 'labels$1idx1-ubyte'), 1);
    const [samples, height, width] = images.sizes as [number, number, number];
    if (labels.values.length !== samples) {
      throw unexpected({
        found: `${labels.values.length} labels`,
        at: path,
        expected: `one for each of ${samples} images`,
        remedy: 'Pass files that belong together.',
      });
    }
    // One channel: its numbers lie alike, whether channels are first or last.
    const last = [height, width, 1];
    const shape = String(wanted) === String(last) ? last : [1, height, width];
    const scale = bounds[0] === 0 && bounds[1] === 255 ? 1 : 255;
    const size = height * width;
    return {
      name: basename(path),
      fingerprint: createHash('sha256').update(images.values).update(labels.values).digest('hex'),
      samples,
      shape,
      async batch(from, to) {
        const values = images.values.subarray(from * size, to * size);
        return {
          ids: Array.from({ length: to - from }, (_, i) => from + i),
          x: tensor(
            Float32Array.from(values, (value) => value / scale),
            [to - from, ...shape],
          ),
          y: Int32Array.from(labels.values.subarray(from, to)),
        };
      },
    };
  },
});

/** Bytes in as many dimensions: two zeros, 8 for bytes, the number of dimensions, their sizes (32 bits, high byte first), and the values. */
async function readIdx(path: string, dimensions: number) {
  const refuse = (found: string, cause?: unknown) =>
    unexpected(
      {
        found,
        at: path,
        expected: `a whole IDX file of bytes in ${dimensions} dimensions`,
        remedy: 'Pass another file, or mend this one.',
      },
      { cause },
    );
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw refuse('unreadable file', cause);
  });
  const start = 4 + 4 * dimensions;
  if (bytes.length < start || bytes.readUInt32BE(0) !== 0x0800 + dimensions) throw refuse('other content');
  const sizes = Array.from({ length: dimensions }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const values = bytes.subarray(start);
  const count = sizes.reduce((product, n) => product * n, 1);
  if (values.length !== count) throw refuse(`${values.length} values instead of ${count}`);
  return { sizes, values };
}
