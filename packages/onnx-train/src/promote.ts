import type { ModelProto, Tensor } from '@gauntlet/onnx';
import { fail, readTensor, writeValueInfo } from '@gauntlet/onnx';

/** Turns initialisers into inputs of the model, in place, and gives what they held. */
export function promote({ graph }: ModelProto, names: readonly string[]): Map<string, Tensor> {
  const wanted = new Set(names);
  const held = new Map<string, Tensor>();
  for (const proto of graph!.initializer) if (wanted.has(proto.name)) held.set(proto.name, readTensor(proto));
  const missing = names.find((name) => !held.has(name));
  if (missing !== undefined) {
    fail(
      'bad-graph',
      `Unexpected name "${missing}" at the model, expected one of its initialisers. Name another tensor.`,
    );
  }
  graph!.initializer = graph!.initializer.filter(({ name }) => !wanted.has(name));
  graph!.input = graph!.input.filter(({ name }) => !wanted.has(name));
  for (const [name, { dtype, dims }] of held) graph!.input.push(writeValueInfo(name, dtype, dims));
  return held;
}
