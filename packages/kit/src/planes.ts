/** How the entries of a sample lie in planes: channels of rows and columns. */
export interface Planes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** The place of an entry in the sample's row-major numbers. */
  at(channel: number, row: number, column: number): number;
}

/**
 * Reads one sample's shape as planes, for attacks that know which entries are neighbours. Of three axes the shortest of the outer two holds the
 * channels, so that channels-first and channels-last images both work; two axes are one plane; anything else is a line of numbers.
 */
export function planesOf(shape: readonly number[]): Planes {
  const [a = 1, b = 1, c = 1] = shape;
  if (shape.length === 3 && a <= c) {
    return { channels: a, height: b, width: c, at: (k, i, j) => (k * b + i) * c + j };
  }
  if (shape.length === 3) {
    return { channels: c, height: a, width: b, at: (k, i, j) => (i * b + j) * c + k };
  }
  if (shape.length === 2) return { channels: 1, height: a, width: b, at: (_, i, j) => i * b + j };
  const size = shape.reduce((product, n) => product * n, 1);
  return { channels: 1, height: 1, width: size, at: (_, __, j) => j };
}
