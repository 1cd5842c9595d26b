import { Graph, type ModelProto, readModel } from '@gauntlet/onnx';
import { bound, type Bounded } from '@gauntlet/onnx-bounds';
import { outsideReader } from './external.js';
import type { Prepared } from './prepared.js';
import { atPath } from './read.js';

/** A model that bounds scores between two corners in one run. */
export interface BoundsGraph extends Bounded {
  readonly model: ModelProto;
}

/**
 * Turns a prepared model into its bounds.
 *
 * @throws GauntletError `unsupported` where an op has none.
 */
export function buildBounds({ name, model, outside, input, scores, types }: Prepared): BoundsGraph {
  return atPath(name, () => {
    const graph = new Graph(readModel(model), outsideReader(outside));
    const bounded = bound(graph, { input: input.name, scores, types });
    return { ...bounded, model: graph.model };
  });
}
