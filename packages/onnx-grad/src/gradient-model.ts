import type { ModelProto, TensorType } from '@gauntlet/onnx';
import { copyModel, fail, Graph, inline, isFloat, upgrade } from '@gauntlet/onnx';

import type { Differentiation } from './differentiate.js';
import { differentiate } from './differentiate.js';
import { inferTypes } from './infer.js';

/** What to differentiate; the defaults suit a model with one input and one output. */
export interface GradientOptions extends Pick<Differentiation, 'lowering' | 'quantisation' | 'unreached'> {
  /** The tensor to differentiate; the first output when left out. */
  readonly of?: string;
  /** Inputs or initialisers; the first float input when left out. */
  readonly wrt?: readonly string[];
  /** Types of inner tensors, where the file does not declare them. */
  readonly shapes?: ReadonlyMap<string, TensorType>;
}

/**
 * A model that computes what the given one does and, as further outputs `gradient:<name>`, the gradient of sum(of * cotangent), where
 * `cotangent` is a further input of the shape of `of`. The given model is not changed.
 * Throws the OnnxErrors of `upgrade` and `differentiate`.
 */
export function gradientModel(model: ModelProto, options: GradientOptions = {}): ModelProto {
  const copy = inline(upgrade(copyModel(model)), options.shapes);
  const graph = new Graph(copy);
  const types = new Map(options.shapes);
  inferTypes(graph, types);
  const of = options.of ?? graph.proto.output[0]?.name ?? '';
  const wrt =
    options.wrt ??
    graph.proto.input
      .flatMap(({ name }) => (isFloat(types.get(name)?.dtype ?? 'bool') ? [name] : []))
      .slice(0, 1);
  const type =
    types.get(of) ??
    fail(
      'unknown-shape',
      `Unexpected tensor "${of}" of unknown shape, expected a known one. Pass its type in shapes.`,
    );
  const seed = graph.input('cotangent', type.dtype, type.dims);
  types.set(seed, type);
  const gradients = differentiate(graph, { ...options, of, wrt, seed, shapes: types });
  for (const [name, gradient] of gradients) {
    const { dtype, dims } = types.get(name)!;
    const [output] = graph.nodes('Identity', [gradient], 1, {}, { outputs: [`gradient:${name}`] });
    graph.output(output!, dtype, dims);
  }
  return copy;
}
