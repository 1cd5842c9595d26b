import { definePreprocessor, unexpected } from '@gauntlet/core';
import { like, row, rows } from '@gauntlet/tensor';
import sharp from 'sharp';
import { z } from 'zod';

/**
 * JPEG compression (Dziugaite et al. 2016; Guo et al. 2018): each input is rounded to 8 bits, encoded, and decoded again. Rounding
 * has no useful derivative, so gradients pass as through the identity (BPDA, Athalye et al. 2018, section 4.1).
 */
export default definePreprocessor({
  id: 'defence/jpeg',
  summary: 'Encodes each image as a JPEG and decodes it again.',
  cites: ['arXiv:1608.00853', 'arXiv:1711.00117'],
  backward: 'identity',
  options: z.strictObject({
    quality: z.int().min(1).max(100).default(75).describe('quality of the encoder'),
    chroma: z
      .enum(['4:2:0', '4:4:4'])
      .default('4:2:0')
      .describe('how colour is kept: at half the resolution, or whole; grey images have none'),
  }),
  async run({ x, input: { shape, bounds }, options }) {
    const image = layoutOf(shape);
    const [lo, hi] = bounds;
    const result = like(x);
    const { quality, chroma: chromaSubsampling } = options;
    for (let i = 0; i < rows(x); i++) {
      const own = row(x, i);
      const bytes = new Uint8Array(own.length);
      own.forEach((value, j) => (bytes[image.place(j)] = Math.round(((value - lo) / (hi - lo)) * 255)));
      const encoded = await sharp(bytes, { raw: image })
        .jpeg({ quality, chromaSubsampling, mozjpeg: false })
        .toBuffer();
      const decoded = await sharp(encoded)
        .toColourspace(image.channels === 1 ? 'b-w' : 'srgb')
        .raw()
        .toBuffer();
      const seen = row(result, i);
      seen.forEach((_, j) => (seen[j] = lo + (decoded[image.place(j)]! / 255) * (hi - lo)));
    }
    return result;
  },
});

/** An image as the encoder takes it: rows of pixels, each with its channels; `place` says where an entry of a sample goes. */
interface Layout {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  place(entry: number): number;
}

const isColour = (n: number | undefined): n is 1 | 3 => n === 1 || n === 3;

function layoutOf(shape: readonly number[]): Layout {
  const [a, b, c] = shape as readonly [number, number, number];
  if (shape.length === 2) return { width: b, height: a, channels: 1, place: (entry) => entry };
  if (shape.length === 3 && isColour(a)) {
    const size = b * c;
    const place = (entry: number) => (entry % size) * a + Math.floor(entry / size);
    return { width: c, height: b, channels: a, place };
  }
  if (shape.length === 3 && isColour(c)) return { width: b, height: a, channels: c, place: (entry) => entry };
  throw unexpected({
    found: `inputs of shape [${shape}]`,
    at: 'defence/jpeg',
    expected: 'grey or RGB images, with channels first or last',
    remedy: 'Choose another defence.',
    code: 'unsupported',
  });
}
