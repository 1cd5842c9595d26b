import type { Term } from '@gauntlet/core';
import { type Dim, Graph, type ModelProto, readModel } from '@gauntlet/onnx';
import { differentiate, type Lowering } from '@gauntlet/onnx-grad';
import { outsideReader } from './external.js';
import { type CompiledLoss, compileLoss } from './loss.js';
import { BATCH, type Prepared } from './prepared.js';

/** A model that computes scores, a loss and the loss's gradient by the input in one run. */
export interface GradientGraph extends CompiledLoss {
  readonly model: ModelProto;
  /** The tensor that holds the gradient; it has the shape of the input. */
  readonly gradient: string;
}

/** What suits a processor, this one if none is named: ONNX Runtime has its blocked layout for convolutions on x64 only. */
export const platformLowering = (architecture: string = process.arch): Lowering =>
  architecture === 'x64' ? 'blocked' : 'plain';

/**
 * Appends a loss and its gradient by the input to a prepared model.
 *
 * @throws OnnxError where an op on the way has no gradient rule.
 */
export function buildGradient(
  prepared: Prepared,
  term: Term,
  lowering: Lowering = platformLowering(),
): GradientGraph {
  const { input } = prepared;
  const { graph, batch, compiled, types } = withLoss(prepared, term);
  const gradients = differentiate(graph, { of: compiled.loss, wrt: [input.name], shapes: types, lowering });
  const gradient = gradients.get(input.name)!;
  graph.output(compiled.loss, 'float32', [batch]);
  graph.output(gradient, 'float32', [batch, ...input.shape]);
  return { ...compiled, model: graph.model, gradient };
}

/** A prepared model with a loss appended, ready to be differentiated. */
export function withLoss(prepared: Prepared, term: Term) {
  const { scores, classes } = prepared;
  const batch: Dim = prepared.batch === 'any' ? BATCH : prepared.batch;
  const graph = new Graph(readModel(prepared.model), outsideReader(prepared.outside));
  const types = new Map(prepared.types);
  const compiled = compileLoss(graph, { name: scores, batch, classes }, term, types);
  return { graph, batch, compiled, types };
}
