import type { Stream } from '@gauntlet/tensor';
import type { Point, Points } from './points.js';

/**
 * Where perturbed inputs live, around each of some clean samples: the points that are near enough by some distance, and that are inputs at all. A norm
 * ball cut by a box (`Ball`) is one; so is every text in which at most three words were replaced by synonyms.
 */
export interface Space<P extends Points = Points> {
  /** The clean samples. */
  readonly centre: P;
  /** How distance is measured, in a word: the name of a norm, or of what is counted. */
  readonly norm: string;
  /** The largest distance that is near enough. */
  readonly epsilon: number;
  /** Whether a point lies in the space around this sample. */
  contains(point: Point<P>, sample: number): boolean;
  /** How far a point is from this sample, whether it lies in the space or not. */
  distance(point: Point<P>, sample: number): number;
  /** A random point for each of these samples, all by default; `random[k]` draws the one for `of[k]`. Left out where nothing can be drawn. */
  sample?(random: readonly Stream[], of?: readonly number[]): P;
  /** For each point the nearest one in the space around its sample. Left out where there is no such thing. */
  project?(points: P): P;
}
