import type { TensorType } from '@gauntlet/onnx';
import type { Input, InputPort } from './input.js';

/** The name of the batch axis in the types of a prepared model. */
export const BATCH = 'N';

/**
 * A model file made ready: tidied by ONNX Runtime, with one input, of float32 numbers or of texts, logits as its only output, and every
 * tensor's type known. Only for gradient files there may be more inputs.
 */
export interface Prepared {
  /** The file's name, without its folder. */
  readonly name: string;
  /** The files of external data that belong to it, from its folder. */
  readonly files: readonly string[];
  /** An ONNX model in standard operators. */
  readonly model: Uint8Array;
  /** The folder in which weights lie that stay in their files; null where the model holds all of them. */
  readonly outside: string | null;
  /** The input, and one sample's shape, without the batch axis. */
  readonly input: Pick<Input, 'name' | 'dtype' | 'shape'>;
  /** All that goes in, in the order of the file. */
  readonly inputs: readonly InputPort[];
  /** The float initialisers of the file that were kept under their names; none unless it was asked for. */
  readonly weights: readonly string[];
  /** The tensor of scores, [N, classes] float32. */
  readonly scores: string;
  readonly classes: number;
  /** How many samples one run takes: any number, or just this many. */
  readonly batch: number | 'any';
  /** Element type and shape of every tensor, where they could be learnt. A size that follows the batch is written `N` or `12*N`. */
  readonly types: ReadonlyMap<string, TensorType>;
  /**
   * Whether scores are asked for apart from gradients. ONNX Runtime may make ops on integers of those that read what DequantizeLinear gives;
   * where a gradient reads it too, they stay floats, and round otherwise.
   */
  readonly scoresApart: boolean;
  /** How many bytes all tensors of one sample take. */
  readonly sampleBytes: number;
  /** Why the model has no gradients; null where it has. */
  readonly refusal: string | null;
  /** What is worth telling the user. */
  readonly notices: readonly string[];
}
