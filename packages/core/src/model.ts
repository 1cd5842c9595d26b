import type { Tensor } from '@gauntlet/tensor';
import type { Loss } from './loss.js';
import type { Points } from './points.js';
import type { Trees } from './trees.js';

/** What a plugin may ask a model for. A ladder: who may have gradients may have scores, who may have scores may have labels. */
export type Access = 'gradients' | 'scores' | 'labels' | 'none';

const LADDER: readonly Access[] = ['none', 'labels', 'scores', 'gradients'];

/** Whether the rung `have` is at least as high as `need`. */
export const allows = (have: Access, need: Access): boolean => LADDER.indexOf(have) >= LADDER.indexOf(need);

/** Which sample each point of a call belongs to, as an index into the job's samples; point `i` is sample `i` by default. */
export interface Of {
  readonly of?: readonly number[];
}

/** One native call's answers: `scores` [n, classes], `loss` [n], and `gradient`, the loss's derivative by each point, shaped as the points. */
export interface Gradient<P extends Points = Tensor> {
  /** [n, classes]. */
  readonly scores: Tensor;
  /** [n]. */
  readonly loss: Float32Array;
  /** In the shape of the points. */
  readonly gradient: P;
}

/** One sample's shape, without the batch axis, and the values that its entries may take; null for samples that are no tensors. */
export type Input<P extends Points = Tensor> = P extends Tensor
  ? { readonly shape: readonly number[]; readonly bounds: readonly [lo: number, hi: number] }
  : null;

/** What every model says about itself. Its points are rows of a tensor, unless it says otherwise. */
export interface ModelFacts<P extends Points = Tensor> {
  /** For people and messages: the name of a file, without its folder. */
  readonly name: string;
  readonly input: Input<P>;
  /** How many scores a point has. */
  readonly classes: number;
  /** The highest rung that it offers. */
  readonly access: Access;
  /** Whether its labels are found by themselves, not by the highest score: by votes, or with leave to abstain. */
  readonly votes?: boolean;
  /** Where the model is made of decision trees: what they are. Whoever reads them knows the model. */
  readonly trees?: Trees;
  /** Where a part of the model is random: the same model with noise of its own. Left out where equal calls get equal answers. */
  draw?(noise: Noise): Model<Access, P>;
  /** Where a detector guards the model: whether it lets each point pass. */
  accepts?(points: P, of?: Of): Promise<boolean[]>;
  /**
   * Where it can be bounded: by how much each point's own class leads every class at least, anywhere between two corners; [n, classes],
   * at most 0 at its own. Rounded outward: neither the exact scores nor those that the model computes are ever below it.
   *
   * @throws GauntletError `unsupported` where a part of the model has no bounds.
   */
  leastLeads?(lower: P, upper: P, own: Int32Array): Promise<Tensor>;
}

/**
 * Whose noise it is. Nothing else decides it but how often the model was asked about a sample: not the batch, and not what others
 * draw, so that noise under other keys is independent.
 */
export interface Noise {
  readonly keys: readonly (string | number)[];
  /** Of the samples that `of` counts. */
  readonly ids: readonly (string | number)[];
}

/** The label of an answer that is none: a model may abstain, and never reaches a class by that. */
export const ABSTAIN = -1;

/** What a model says about itself, and nothing that it can be asked. */
export const factsOf = <P extends Points>({
  name,
  input,
  classes,
  access,
  votes,
}: ModelFacts<P>): ModelFacts<P> => ({
  name,
  input,
  classes,
  access,
  ...(votes !== undefined && { votes }),
});

/** Answers with class ids. */
export interface LabelModel<P extends Points = Tensor> extends ModelFacts<P> {
  /** One class id for each point, [n], {@link ABSTAIN} where it gives no answer. */
  labels(points: P, of?: Of): Promise<Int32Array>;
}

/** Answers with one score per class (logits, where the model has them): [n, classes]. */
export interface ScoreModel<P extends Points = Tensor> extends LabelModel<P> {
  /** One score for each point and class, [n, classes]. */
  scores(points: P, of?: Of): Promise<Tensor>;
}

/** Differentiates a loss of its scores by its input. */
export interface GradientModel<P extends Points = Tensor> extends ScoreModel<P> {
  /** Scores, loss and the loss's derivative by each point, in one native call. */
  gradient(points: P, loss: Loss, of?: Of): Promise<Gradient<P>>;
}

/**
 * A model that offers the rung `A` and all below it. The points of every call are a batch: a tensor in raw input units, or a list of
 * whatever it takes.
 */
export type Model<A extends Access = 'gradients', P extends Points = Tensor> = {
  none: ModelFacts<P>;
  labels: LabelModel<P>;
  scores: ScoreModel<P>;
  gradients: GradientModel<P>;
}[A];

/** A model that holds native memory until it is closed. */
export type OpenModel<A extends Access = Access, P extends Points = Tensor> = Model<A, P> & {
  /** The files that it was read from beside its own, from the folder of that. */
  readonly files?: readonly string[];
  /** The most points that one call takes without being cut to fit memory; any number if left out. */
  readonly callSize?: number;
  /** Gives its memory back; later calls are refused. */
  close(): Promise<void>;
};
