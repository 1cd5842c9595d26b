import { unexpected } from '@gauntlet/core';

/** How an image lies in a sample. */
export interface Layout {
  readonly shape: readonly number[];
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  /** How far apart neighbouring channels are, and neighbouring pixels. */
  readonly channelStride: number;
  readonly pixelStride: number;
}

/** The layout of a model's samples: [c, h, w], [h, w, c] or [h, w], where c is 1 or 3. */
export function layoutOf(shape: readonly number[]): Layout {
  const [a, b, c] = shape as [number, number, number];
  if (shape.length === 2) return channelsFirst(shape, 1, a, b);
  if (shape.length === 3 && isColour(a)) return channelsFirst(shape, a, b, c);
  if (shape.length === 3 && isColour(c)) {
    return { shape, channels: c, height: a, width: b, channelStride: 1, pixelStride: c };
  }
  throw unexpected({
    found: `samples of shape [${shape}]`,
    at: 'the model',
    expected: 'images: [channels, height, width] or [height, width, channels] with 1 or 3 channels',
    remedy: 'Pass the data as an .npz file.',
  });
}

const channelsFirst = (shape: readonly number[], channels: 1 | 3, height: number, width: number): Layout => ({
  shape,
  channels,
  height,
  width,
  channelStride: height * width,
  pixelStride: 1,
});

const isColour = (n: number): n is 1 | 3 => n === 1 || n === 3;

/**
 * Writes an image's 8-bit RGB pixels into a sample, divided by `scale`. One channel is the luma of ITU-R 601 in the integers that
 * Pillow uses, so that what was trained on `convert('L')` sees the same numbers.
 */
export function place(
  rgb: Uint8Array,
  { channels, height, width, ...layout }: Layout,
  scale: number,
  into: Float32Array,
) {
  for (let pixel = 0; pixel < height * width; pixel++) {
    const [r, g, b] = [rgb[3 * pixel]!, rgb[3 * pixel + 1]!, rgb[3 * pixel + 2]!];
    const at = pixel * layout.pixelStride;
    if (channels === 1) {
      into[at] = ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) / scale;
    } else {
      into[at] = r / scale;
      into[at + layout.channelStride] = g / scale;
      into[at + 2 * layout.channelStride] = b / scale;
    }
  }
}
