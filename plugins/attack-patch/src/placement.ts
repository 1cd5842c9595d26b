import type { Planes } from '@gauntlet/kit';
import type { Stream } from '@gauntlet/tensor';

const { abs, ceil, cos, floor, hypot, max, min, PI, sin, sqrt } = Math;

/** What a patch looks like, and how it may be turned and shrunk. */
export interface Looks {
  readonly shape: 'square' | 'circle';
  /** Degrees, either way. */
  readonly rotation: number;
  /** The smallest share of its side. */
  readonly scale: number;
}

/** Which entries of a sample a patch covers, and which of its texels each shows. */
export interface Placement {
  readonly entries: readonly number[];
  readonly from: readonly number[];
}

/** The share of the square around it that a shape fills. */
const FILLED = { square: 1, circle: PI / 4 };

/** The side of the largest patch that covers at most so many pixels, and fits. */
export const sideOf = (shape: Looks['shape'], pixels: number, most: number): number =>
  min(most, floor(sqrt(pixels / FILLED[shape]) + 1e-6));

/**
 * A random place for a patch of `side` x `side` texels: shrunk and turned, wholly inside the image. A pixel shows the texel in which its middle lies. Where
 * that are more pixels than the patch has, the outermost are left out, so that its area stays what it is.
 */
export function place(planes: Planes, side: number, looks: Looks, random: Stream): Placement {
  const { channels, height, width, at } = planes;
  const scale = looks.scale + (1 - looks.scale) * random.uniform();
  const angle = (looks.rotation * (2 * random.uniform() - 1) * PI) / 180;
  const [c, s] = [cos(angle), sin(angle)];
  const half = ((looks.shape === 'circle' ? 1 : abs(c) + abs(s)) * side * scale) / 2;
  const inside = (n: number) => min(half, n / 2) + max(0, n - 2 * half) * random.uniform();
  const [y, x] = [inside(height), inside(width)];

  const pixels: { i: number; j: number; texel: number; far: number }[] = [];
  for (let i = max(0, floor(y - half)); i < min(height, ceil(y + half)); i++) {
    for (let j = max(0, floor(x - half)); j < min(width, ceil(x + half)); j++) {
      const [down, right] = [i + 0.5 - y, j + 0.5 - x];
      const [u, v] = [(c * right + s * down) / scale, (c * down - s * right) / scale];
      const far = looks.shape === 'circle' ? hypot(u, v) : max(abs(u), abs(v));
      if (far >= side / 2) continue;
      pixels.push({ i, j, texel: floor(v + side / 2) * side + floor(u + side / 2), far });
    }
  }
  pixels.sort((a, b) => a.far - b.far).splice(floor(FILLED[looks.shape] * side * side));
  const over = Array.from({ length: channels }, (_, k) => k);
  return {
    entries: pixels.flatMap(({ i, j }) => over.map((k) => at(k, i, j))),
    from: pixels.flatMap(({ texel }) => over.map((k) => k * side * side + texel)),
  };
}
