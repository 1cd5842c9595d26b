import type { Stream, Tensor } from '@gauntlet/tensor';
import type { Batch } from './dataset.js';
import type { Input } from './model.js';
import { type PluginFacts, seal } from './plugin.js';
import type { OptionsOf, Schema } from './schema.js';
import type { Tensors } from './training.js';

/** Inputs and their labels. */
export type Labelled = Pick<Batch, 'x' | 'y'>;

/** What a poisoning attack is handed: the samples that it may change, before a model learns from them. */
export interface PoisoningJob<Options = unknown> extends Labelled {
  /** The shape of one sample, and the values that its entries may take. */
  readonly input: Input;
  /** How many there are: labels lie from 0 up to but without it. */
  readonly classes: number;
  /** The class that the trained model shall answer with; null where any wrong answer will do. */
  readonly target: number | null;
  readonly options: Options;
  /** One stream per sample. */
  readonly random: readonly Stream[];
}

/** What it is handed in a federated training, as a client of it. */
export interface UpdateJob<Options = unknown> {
  /** The weights that the server sent, and what the attacker's own training, on its poisoned samples, made of them. */
  readonly global: Tensors;
  readonly trained: Tensors;
  /** Of how many clients the server will take the mean. */
  readonly clients: number;
  readonly options: Options;
}

/** Inputs on which the trained model will be asked. */
export interface TriggerJob<Options = unknown> {
  /** [n, ...shape], in the box. */
  readonly x: Tensor;
  /** The shape of one sample, and the values that its entries may take. */
  readonly input: Input;
  readonly options: Options;
}

/** An attack on training: what comes of it is the model that was trained, and what that answers where the trigger is. */
export interface Poisoning extends PluginFacts {
  readonly kind: 'poisoning';
  readonly cites: readonly string[];
  readonly options: Schema;
  /** As many samples as it was handed, of the same shape: changed inputs in the box, or changed labels, or both. */
  poison(job: PoisoningJob<never>): Promise<Labelled>;
  /** The weights that it sends to the server, instead of those it trained: for attacks on federated training. */
  update?(job: UpdateJob<never>): Promise<Tensors>;
  /** The inputs with the trigger on them: for attacks that want the target where it is, and nothing elsewhere. */
  trigger?(job: TriggerJob<never>): Promise<Tensor>;
}

/** Declares a poisoning attack. The type of `options` in its functions follows from `options`. */
export function definePoisoning<S extends Schema>(
  poisoning: Omit<Poisoning, 'kind' | 'options' | 'poison' | 'update' | 'trigger'> & {
    readonly options: S;
    /** As {@link Poisoning.poison}. */
    poison(job: PoisoningJob<OptionsOf<S>>): Promise<Labelled>;
    /** As {@link Poisoning.update}. */
    update?(job: UpdateJob<OptionsOf<S>>): Promise<Tensors>;
    /** As {@link Poisoning.trigger}. */
    trigger?(job: TriggerJob<OptionsOf<S>>): Promise<Tensor>;
  },
) {
  return seal({ kind: 'poisoning' as const, ...poisoning });
}
