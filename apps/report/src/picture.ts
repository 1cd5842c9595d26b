import type { Picture } from './png.js';

/** How the numbers of one sample lie as a picture. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Whether a channel lies in one piece (`[channels, height, width]`), or beside the others of its pixel. */
  readonly planes: boolean;
}

/** Anything smaller is hardly a picture. */
const SMALLEST = 4;

/** The layout of samples of a shape; null where they are no pictures. */
export function layoutOf(shape: readonly number[]): Layout | null {
  const [a = 0, b = 0, c = 0] = shape;
  const fits = (height: number, width: number) => height >= SMALLEST && width >= SMALLEST;
  if (shape.length === 2 && fits(a, b)) return { height: a, width: b, channels: 1, planes: true };
  if (shape.length !== 3) return null;
  if ((a === 1 || a === 3) && fits(b, c)) return { height: b, width: c, channels: a, planes: true };
  if ((c === 1 || c === 3) && fits(a, b)) return { height: a, width: b, channels: c, planes: false };
  return null;
}

/** A sample whose numbers lie in the box, as a picture: its smallest value is black, its largest white. */
export const pictureOf = (
  sample: Float32Array,
  layout: Layout,
  [lo, hi]: readonly [number, number],
): Picture => drawn(sample, layout, (value) => (value - lo) / (hi - lo));

/**
 * What was added to a sample, as a picture around grey, and how many times it is magnified: so that the largest change just fits.
 */
export function perturbationOf(
  clean: Float32Array,
  adversarial: Float32Array,
  layout: Layout,
  [lo, hi]: readonly [number, number],
): Picture & { readonly gain: number } {
  const change = clean.map((value, i) => adversarial[i]! - value);
  const largest = change.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const gain = largest === 0 ? 1 : (hi - lo) / (2 * largest);
  return { ...drawn(change, layout, (value) => 0.5 + (gain * value) / (hi - lo)), gain };
}

function drawn(sample: Float32Array, layout: Layout, share: (value: number) => number): Picture {
  const { width, height, channels, planes } = layout;
  const size = width * height;
  const pixels = new Uint8Array(size * channels);
  for (let pixel = 0; pixel < size; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = planes ? channel * size + pixel : pixel * channels + channel;
      pixels[pixel * channels + channel] = Math.round(255 * Math.min(1, Math.max(0, share(sample[from]!))));
    }
  }
  return { width, height, channels, pixels };
}
