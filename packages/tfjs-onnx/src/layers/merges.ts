import { z } from 'zod';
import { type Call, layer, type Value } from '../layer.js';

const alone = z.object({});

/** Tensors with axes of one behind the batch, until all have the same number of axes. */
function levelled({ graph, node, inputs }: Call): {
  readonly names: readonly string[];
  readonly rank: number;
} {
  const rank = Math.max(...inputs.map((input) => input.rank));
  const names = inputs.map((input) => {
    const missing = Array.from({ length: rank - input.rank }, (_, i) => i + 1);
    return missing.length === 0 ? input.name : node('Unsqueeze', [input.name, graph.ints(missing)]);
  });
  return { names, rank };
}

/** A layer that works on as many inputs as it is given. */
const merge = (write: (call: Call, names: readonly string[]) => string) =>
  layer(alone, (call): Value => {
    const { names, rank } = levelled(call);
    return { name: write(call, names), rank };
  });

const oneByOne = (op: string) =>
  merge(({ node }, names) => names.reduce((sum, name) => node(op, [sum, name])));

/** Layers with several inputs. */
export const merges = {
  Add: oneByOne('Add'),
  Subtract: oneByOne('Sub'),
  Multiply: oneByOne('Mul'),
  Average: merge(({ node }, names) => node('Mean', names)),
  Maximum: merge(({ node }, names) => node('Max', names)),
  Minimum: merge(({ node }, names) => node('Min', names)),
  Concatenate: layer(
    // tfjs takes every axis from the end for the last.
    z.object({ axis: z.union([z.literal(-1), z.int().min(1)]).default(-1) }),
    ({ node, inputs }, { axis }): Value => ({
      name: node(
        'Concat',
        inputs.map(({ name }) => name),
        { axis },
      ),
      rank: inputs[0]!.rank,
    }),
  ),
};
