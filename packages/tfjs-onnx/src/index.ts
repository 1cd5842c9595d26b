/** TensorFlow.js LayersModels as ONNX files: topology and weights are read without tfjs, and every layer is written in standard operators. */
import { type ModelProto } from '@gauntlet/onnx';
import { readArtifacts } from './artifacts.js';
import { toOnnx } from './convert.js';

export { type Artifacts, readArtifacts, type WeightSpec } from './artifacts.js';
export { toOnnx } from './convert.js';

/** A model.json as an ONNX model, and the files of weights that it was read from. */
export async function convert(
  path: string,
): Promise<{ readonly model: ModelProto; readonly files: readonly string[] }> {
  const artifacts = await readArtifacts(path);
  return { model: toOnnx(artifacts), files: artifacts.files };
}
