import { filled, float } from '@gauntlet/onnx';
import { z } from 'zod';
import { layer, type Value } from '../layer.js';

const common = {
  epsilon: z.number().positive().default(1e-3),
  center: z.boolean().default(true),
  scale: z.boolean().default(true),
};
const oneAxis = z.union([
  z.int(),
  z
    .array(z.int())
    .length(1)
    .transform(([one]) => one!),
]);

/** Layers that shift and scale. */
export const normalisations = {
  BatchNormalization: layer(
    z.object({ ...common, axis: oneAxis.default(-1) }),
    ({ graph, node, weight, input: { name, rank } }, { axis, epsilon, center, scale }): Value => {
      const at = axis < 0 ? axis + rank : axis;
      const mean = weight('moving_mean', [null]);
      const { dims } = graph.value(mean)!;
      const absent = (value: number) => graph.constant(filled('float32', value, dims));
      const weights = [
        scale ? weight('gamma', dims) : absent(1),
        center ? weight('beta', dims) : absent(0),
        mean,
        weight('moving_variance', dims),
      ];
      // ONNX has the channels at the second place: the axis goes there, and back.
      const rest = Array.from({ length: rank - 1 }, (_, i) => i + 1).filter((i) => i !== at);
      const there = [0, at, ...rest];
      const back = there.map((_, i) => there.indexOf(i));
      const turned = (x: string, perm: readonly number[]) =>
        at === 1 ? x : node('Transpose', [x], { perm });
      const made = node('BatchNormalization', [turned(name, there), ...weights], { epsilon: float(epsilon) });
      return { name: turned(made, back), rank };
    },
  ),
  LayerNormalization: layer(
    z.object({
      ...common,
      axis: z.union([z.int().transform((one) => [one]), z.array(z.int())]).default([-1]),
    }),
    ({ graph, node, weight, input: { name, rank } }, { axis, epsilon, center, scale }): Value => {
      const axes = graph.ints(axis);
      const mean = node('ReduceMean', [name, axes], { keepdims: 1 });
      const centred = node('Sub', [name, mean]);
      const variance = node('ReduceMean', [node('Mul', [centred, centred]), axes], { keepdims: 1 });
      const deviation = node('Sqrt', [node('Add', [variance, graph.scalar('float32', epsilon)])]);
      const own = axis.map(() => null);
      // A weight's axes stand where they belong, among axes of one.
      const places = axis.map((one) => (one < 0 ? one + rank : one));
      const spread = (weight: { dims: readonly number[]; data: Float32Array }) => ({
        dims: Array.from({ length: rank }, (_, i) => weight.dims[places.indexOf(i)] ?? 1),
        data: weight.data,
      });
      let at = node('Div', [centred, deviation]);
      if (scale) at = node('Mul', [at, weight('gamma', own, spread)]);
      if (center) at = node('Add', [at, weight('beta', own, spread)]);
      return { name: at, rank };
    },
  ),
  Rescaling: layer(
    z.object({ scale: z.number(), offset: z.number().default(0) }),
    ({ graph, node, input: { name, rank } }, { scale, offset }): Value => {
      const scaled = node('Mul', [name, graph.scalar('float32', scale)]);
      return { name: node('Add', [scaled, graph.scalar('float32', offset)]), rank };
    },
  ),
};
