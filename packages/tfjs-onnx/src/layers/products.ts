import { fail } from '@gauntlet/onnx';
import { z } from 'zod';
import { type Call, layer, type Value } from '../layer.js';
import { activate, activation } from './activations.js';

/** tfjs's own smallest divisor, `tf.backend().epsilon()` on the CPU. */
const EPSILON = 1e-7;

/** x / sqrt(max(sum(x^2), epsilon)) along an axis. */
function normalised({ graph, node }: Call, name: string, axis: number): string {
  const sum = node('ReduceSumSquare', [name, graph.ints([axis])], { keepdims: 1 });
  return node('Div', [name, node('Sqrt', [node('Max', [sum, graph.scalar('float32', EPSILON)])])]);
}

/** Layers that multiply matrices. */
export const products = {
  Dense: layer(
    z.object({ units: z.int().min(1), activation, useBias: z.boolean().default(true) }),
    (call, { units, activation, useBias }) => {
      const { node, weight, input } = call;
      const kernel = weight('kernel', [null, units]);
      const bias = useBias ? [weight('bias', [units])] : [];
      const flat = input.rank === 2;
      const product = node(flat ? 'Gemm' : 'MatMul', [input.name, kernel, ...(flat ? bias : [])]);
      const name = flat || !useBias ? product : node('Add', [product, ...bias]);
      return activate(call, { name, rank: input.rank }, activation);
    },
  ),
  Dot: layer(
    z.object({
      axes: z.union([z.int().transform((one) => [one, one]), z.array(z.int()).length(2)]),
      normalize: z.boolean().default(false),
    }),
    (call, { axes, normalize }): Value => {
      const { graph, node, inputs } = call;
      const along = inputs.map(({ rank }, i) => (axes[i]! < 0 ? axes[i]! + rank : axes[i]!));
      const [a, b] = inputs.map(({ name }, i) => (normalize ? normalised(call, name, along[i]!) : name));
      const [rank] = inputs.map((input) => input.rank) as [number];
      const plain = inputs.length === 2 && inputs.every((input) => input.rank === rank);
      if (!plain || rank > 3 || along.some((one) => one < 1 || one >= rank)) {
        fail(
          'no-rule',
          `Unexpected axes ${axes.join(' and ')} of inputs with ${inputs.map((each) => each.rank).join(' and ')} axes at ${call.at}, expected two inputs [n, k] or two [n, i, j], and axes behind n. Run the model with tfjs.`,
        );
      }
      if (rank === 2) {
        return {
          name: node('ReduceSum', [node('Mul', [a!, b!]), graph.ints([1])], { keepdims: 1 }),
          rank: 2,
        };
      }
      // [n, rows, shared] times [n, shared, columns]
      const turned = (name: string, turn: boolean) =>
        turn ? node('Transpose', [name], { perm: [0, 2, 1] }) : name;
      return { name: node('MatMul', [turned(a!, along[0] === 1), turned(b!, along[1] === 2)]), rank: 3 };
    },
  ),
};
