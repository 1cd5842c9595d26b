/** A decision tree: a leaf with a number for each class, or a split, which sends an input to the left where `x[feature] <= threshold`. */
export type Tree =
  | { readonly scores: readonly number[] }
  | { readonly feature: number; readonly threshold: number; readonly left: Tree; readonly right: Tree };

/**
 * A model written as decision trees over the entries of its input: its scores are `base` and the scores of each tree's leaf, added up. Thresholds are
 * float32 numbers.
 */
export interface Trees {
  readonly base: readonly number[];
  readonly trees: readonly Tree[];
}
