import { type Graph, readsOf } from '@gauntlet/onnx';

/** Whether numbers are rounded to levels that the largest of the whole batch sets, so that a sample changes what its neighbours get. */
export const mixesSamples = ({ proto }: Graph): boolean =>
  proto.node.some(({ opType }) => opType.startsWith('DynamicQuantize'));

/** Whether ops read levels as floats: in pairs of QuantizeLinear and DequantizeLinear, or where weights are levels. */
export function readsLevels({ proto }: Graph): boolean {
  const read = new Set(proto.node.flatMap(readsOf));
  return proto.node.some(
    ({ opType, output }) => opType === 'DequantizeLinear' && output.some((name) => read.has(name)),
  );
}
