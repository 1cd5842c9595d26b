import type { BallNorm, Stream, Tensor } from '@gauntlet/tensor';
import type { Access, Model, ModelFacts } from './model.js';
import { type PluginFacts, seal } from './plugin.js';
import type { OptionsOf, Schema } from './schema.js';

/**
 * How gradients pass a defence on their way back: by its derivative (`exact`), unchanged (`identity`), by the derivative of something like it
 * (`substitute`; both are BPDA, Athalye et al. 2018), or not at all (`none`): white-box attacks cannot be run through it.
 */
export type Backward = 'exact' | 'identity' | 'substitute' | 'none';

/** Over how many draws of a random preprocessor a gradient is averaged (expectation over transformation, Athalye et al. 2018). */
export const GRADIENT_DRAWS = 20;

/** What a defence says about itself. */
export interface DefenceFacts extends PluginFacts {
  readonly cites: readonly string[];
  readonly backward: Backward;
  readonly options: Schema;
}

/** What a preprocessor is handed for some points. */
export interface PreprocessorJob<Options = unknown> {
  /** [n, ...shape], in the box. */
  readonly x: Tensor;
  /** The shape of one point, and the values that its entries may take, before and after. */
  readonly input: ModelFacts['input'];
  readonly options: Options;
  /** One stream per point. The pullback of a call is handed the same ones anew. */
  readonly random: readonly Stream[];
}

/** A defence that changes inputs before the model sees them: points of the box become points of the box. */
export interface Preprocessor extends DefenceFacts {
  readonly kind: 'preprocessor';
  /** Whether it draws from `random`. Attacks then climb the mean over several draws. */
  readonly random?: boolean;
  /**
   * The points as the model shall see them, in the shape of `x` and within the bounds.
   *
   * @throws GauntletError `unsupported` for inputs of a kind that it has no use for.
   */
  run(job: PreprocessorJob<never>): Promise<Tensor>;
  /** The product of a gradient by what `run` gives with the derivative of `run` at `x`: for `exact` and `substitute`. */
  pullback?(job: PreprocessorJob<never> & { readonly gradient: Tensor }): Promise<Tensor>;
}

/** What a wrapper is handed. */
export interface WrapperJob<Options = unknown> {
  /** One model, or several of one input and as many classes. */
  readonly models: readonly [Model<Access>, ...Model<Access>[]];
  readonly options: Options;
  /** For each point of a call, in order: a stream of noise that belongs to its sample and to this call. */
  noise(of: readonly number[]): readonly Stream[];
}

/** A defence that makes another model of a model, or of several. */
export interface Wrapper extends DefenceFacts {
  readonly kind: 'wrapper';
  readonly backward: Exclude<Backward, 'identity'>;
  /** How many models it takes. */
  readonly models: 'one' | 'several';
  /** Whether it draws from `noise`. It averages over its draws itself. */
  readonly random?: boolean;
  /** The model that answers instead: of the same input and classes, and of no higher access than its models. */
  wrap(job: WrapperJob<never>): Model<Access>;
  /** Proves what it can about its own answers. */
  readonly certificate?: Proof<WrapperJob<never> & CertifierJob<never>>;
}

/** What a detector is handed. */
export interface DetectorJob<A extends Access = Access, Options = unknown> {
  /** The model that it guards, with the access that it declares. */
  readonly model: Model<A>;
  /** [n, ...shape], in the box. */
  readonly x: Tensor;
  readonly options: Options;
}

/** A defence that turns suspicious inputs away: those above a threshold that few clean ones exceed. */
export interface Detector extends DefenceFacts {
  readonly kind: 'detector';
  /** What it asks the model for. */
  readonly access: Access;
  /** A number for each point, the larger the more suspicious. */
  suspicion(job: DetectorJob<never, never>): Promise<Float32Array>;
}

/** What is known of one sample: every point within the radius gets its answer, or one that does not was found, or neither. */
export type Certificate =
  | { readonly outcome: 'robust'; readonly radius: number }
  | { readonly outcome: 'broken'; readonly witness: Float32Array }
  | { readonly outcome: 'unknown'; readonly why: string };

/** What a certifier is handed. */
export interface CertifierJob<Options = unknown> {
  /** The model that is certified: the one that answers in the end. */
  readonly model: Model<Access>;
  /** [n, ...shape], in the box. */
  readonly x: Tensor;
  /** Its answers on `x`. */
  readonly answers: Int32Array;
  /** Of the radius. */
  readonly norm: BallNorm;
  /** The radius that is asked about. A certificate may reach farther, or be for less. The largest of the plan, where the proof finds the largest radius. */
  readonly epsilon: number;
  /** The values that inputs may take, in the units of `x`. */
  readonly box: readonly [lo: number, hi: number];
  readonly options: Options;
  /** One stream per sample. */
  readonly random: readonly Stream[];
  readonly signal: AbortSignal;
}

/** A plugin that proves what it can about any model of its kind. */
export interface Certifier extends PluginFacts {
  readonly kind: 'certifier';
  readonly cites: readonly string[];
  readonly options: Schema;
  readonly certificate: Proof<CertifierJob<never>>;
}

/** Proves, for each sample, that no point within a radius gets another answer. */
export interface Proof<Job> {
  /** The norms whose balls it speaks of. */
  readonly norms: readonly BallNorm[];
  /** Whether it answers about the radius that it is asked about, or finds the largest that it can prove, whatever it is asked: then it is run once. */
  readonly finds: 'at-epsilon' | 'largest';
  /** What its certificates are worth, in words: the chance that one is wrong, the largest radius that it can prove. */
  words(options: Job extends { readonly options: infer Options } ? Options : never): string;
  /** One certificate for each sample of the job, in order; the engine looks at every witness. */
  certify(job: Job): Promise<readonly Certificate[]>;
}

/** A certificate on the record: what is known of one sample at one radius. */
export interface Certified {
  /** The model's name. */
  readonly model: string;
  /** The plugin whose proof it is: a certifier, or a wrapper that proves things about its own answers. */
  readonly certifier: string;
  /** The id of the sample in its data set. */
  readonly sample: number | string;
  /** Of the radius. */
  readonly norm: BallNorm;
  /** The radius that was asked about. */
  readonly epsilon: number;
  /** The true class. */
  readonly label: number;
  /** The model's answer on the clean input; ABSTAIN where it gives none. */
  readonly answer: number;
  /** A witness is put down as its distance, after the model was asked about it. */
  readonly certificate:
    | Exclude<Certificate, { readonly outcome: 'broken' }>
    | { readonly outcome: 'broken'; readonly distance: number };
  /** The sample's share of its batch's wall time. */
  readonly seconds: number;
  readonly seed: number;
}

/** Declares a preprocessor. The type of `options` in `run` follows from `options`. */
export function definePreprocessor<S extends Schema>(
  preprocessor: Omit<Preprocessor, 'kind' | 'options' | 'run' | 'pullback'> & {
    readonly options: S;
    /** As {@link Preprocessor.run}. */
    run(job: PreprocessorJob<OptionsOf<S>>): Promise<Tensor>;
    /** As {@link Preprocessor.pullback}. */
    pullback?(job: PreprocessorJob<OptionsOf<S>> & { readonly gradient: Tensor }): Promise<Tensor>;
  },
) {
  return seal({ kind: 'preprocessor' as const, ...preprocessor });
}

/** Declares a wrapper. */
export function defineWrapper<S extends Schema>(
  wrapper: Omit<Wrapper, 'kind' | 'options' | 'wrap' | 'certificate'> & {
    readonly options: S;
    /** As {@link Wrapper.wrap}. */
    wrap(job: WrapperJob<OptionsOf<S>>): Model<Access>;
    readonly certificate?: Proof<WrapperJob<OptionsOf<S>> & CertifierJob<OptionsOf<S>>>;
  },
) {
  return seal({ kind: 'wrapper' as const, ...wrapper });
}

/** Declares a detector. The types of `model` and `options` in `suspicion` follow from `access` and `options`. */
export function defineDetector<const A extends Access, S extends Schema>(
  detector: Omit<Detector, 'kind' | 'access' | 'options' | 'suspicion'> & {
    readonly access: A;
    readonly options: S;
    /** As {@link Detector.suspicion}. */
    suspicion(job: DetectorJob<A, OptionsOf<S>>): Promise<Float32Array>;
  },
) {
  return seal({ kind: 'detector' as const, ...detector });
}

/** Declares a certifier. */
export function defineCertifier<S extends Schema>(
  certifier: Omit<Certifier, 'kind' | 'options' | 'certificate'> & {
    readonly options: S;
    readonly certificate: Proof<CertifierJob<OptionsOf<S>>>;
  },
) {
  return seal({ kind: 'certifier' as const, ...certifier });
}
