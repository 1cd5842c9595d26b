import { type RuntimeFacts, unexpected } from '@gauntlet/core';
import { BASE_OPSET, Graph, writeModel, writeValueInfo } from '@gauntlet/onnx';
import { createSession, loadRuntime } from './runtime.js';

/**
 * The ONNX Runtime that is installed, once it has run a model of one node.
 *
 * @throws GauntletError with the remedy, where it is missing or broken.
 */
export async function runtimeFacts(): Promise<RuntimeFacts> {
  const { env, Tensor } = await loadRuntime();
  const session = await createSession(negation(), 'a model of one node');
  const { y } = await session.run({ x: new Tensor('float32', [1], [1]) }, ['y']);
  await session.release();
  if (y?.data[0] === -1) {
    return { name: 'onnxruntime-node', version: env.versions.node ?? 'unknown', notice: null };
  }
  throw unexpected({
    found: `negation ${String(y?.data[0])} of 1`,
    at: 'onnxruntime-node',
    expected: '-1',
    remedy: 'Install it again.',
  });
}

function negation(): Uint8Array {
  const graph = Graph.empty(BASE_OPSET, 'negation');
  graph.proto.input.push(writeValueInfo('x', 'float32', [1]));
  graph.node('Neg', ['x'], {}, { outputs: ['y'] });
  graph.proto.output.push(writeValueInfo('y', 'float32', [1]));
  return writeModel(graph.model);
}
