import type { Dim, TensorType } from '@gauntlet/onnx';
import { fail } from '@gauntlet/onnx';

/** A tensor of the graph together with its type. */
export interface Value extends TensorType {
  readonly name: string;
}

/**
 * The gradient of images, by the remainders of their pixels: pixel (stride i + r, stride j + s) is element (i, j) of phase stride r + s.
 * Strided convolutions and pools give it so; sums are cheaper before the phases are laid out as pixels.
 */
export interface Phases {
  readonly stride: number;
  /** [N, C, ceil(height / stride), ceil(width / stride)] each. A phase that is left out is zero. */
  readonly phases: readonly (Value | undefined)[];
  /** The type of the images. */
  readonly whole: TensorType;
}

/** Resolves an axis that may be negative. Throws `bad-axis` when it lies outside the rank. */
export function axisOf(axis: number, rank: number, path: string): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < Math.max(rank, 1))
    return axis < 0 ? axis + rank : axis;
  return fail(
    'bad-axis',
    `Unexpected axis ${axis} at ${path}, expected one within rank ${rank}. Export the model again.`,
  );
}

/** Resolves a list of axes and refuses repeated ones. */
export function axesOf(axes: readonly number[], rank: number, path: string): number[] {
  const resolved = axes.map((axis) => axisOf(axis, rank, path));
  if (new Set(resolved).size === resolved.length) return resolved;
  return fail(
    'bad-axis',
    `Unexpected repeated axes [${axes}] at ${path}, expected distinct ones. Export the model again.`,
  );
}

// A single axis or a constant beyond these is damage or a trap, not a classifier.
const LONGEST_AXIS = 2 ** 24;
const LARGEST_CONSTANT = 2 ** 28;

/** A size that must be known while the graph is built. Throws `unknown-shape` when it is symbolic, `bad-shape` when it is absurd. */
export function fixed(dim: Dim, path: string): number {
  if (typeof dim === 'string') {
    return fail(
      'unknown-shape',
      `Unexpected dynamic size "${dim}" at ${path}, expected a size that is known beforehand. Export the model with a fixed shape, or use attacks that need scores or labels only.`,
    );
  }
  if (dim <= LONGEST_AXIS) return dim;
  return fail(
    'bad-shape',
    `Unexpected size ${dim} at ${path}, expected at most ${LONGEST_AXIS}. Export the model again.`,
  );
}

/** How many elements a constant of this shape has. Throws `bad-shape` when it is none, or could not be held in memory. */
export function elements(dims: readonly number[], path: string): number {
  const count = dims.reduce((total, dim) => total * dim, 1);
  const valid = dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  if (valid && count <= LARGEST_CONSTANT) return count;
  return fail(
    'bad-shape',
    `Unexpected constant of shape ${shown(dims)} at ${path}, expected at most ${LARGEST_CONSTANT} elements. Export the model again.`,
  );
}

/** Product of sizes; symbolic factors give a symbolic product such as "12*N". */
export function product(dims: readonly Dim[]): Dim {
  const symbols = dims.flatMap((dim) => (typeof dim === 'string' ? [dim] : []));
  const number = dims.reduce<number>((total, dim) => (typeof dim === 'number' ? total * dim : total), 1);
  if (symbols.length === 0 || number === 0) return number;
  return [...(number === 1 ? [] : [number]), ...symbols.sort()].join('*');
}

/** Sizes after numpy's broadcasting; a symbolic size wins over 1 and is trusted against other sizes. */
export function broadcast(...shapes: readonly (readonly Dim[])[]): Dim[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes
      .flatMap((shape) => shape[axis - rank + shape.length] ?? [])
      .filter((size) => size !== 1);
    const [first = 1] = sizes;
    if (sizes.some((size) => typeof size === 'number' && typeof first === 'number' && size !== first)) {
      fail(
        'bad-shape',
        `Unexpected shapes ${shapes.map(shown).join(' and ')}, expected ones that broadcast. Export the model again.`,
      );
    }
    return sizes.find((size) => typeof size === 'number') ?? first;
  });
}

/** Whether two lists of sizes are the same. */
export function sameDims(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** A shape for messages. */
export function shown(dims: readonly Dim[]): string {
  return `[${dims.join(', ')}]`;
}
