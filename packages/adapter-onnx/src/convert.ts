import { type ModelFile, type Port, unexpected } from '@gauntlet/core';
import { readValueInfo, writeModel } from '@gauntlet/onnx';
import { legibly } from './legible.js';
import { isLayersModel, readModelFile } from './read.js';

/** Writes a LayersModel of tfjs as an ONNX file: the same layout of its input, any batch size, every weight inside. */
export async function convert(path: string): Promise<ModelFile> {
  if (!isLayersModel(path)) {
    throw unexpected({
      found: 'ONNX model',
      at: path,
      expected: 'the model.json of a tfjs LayersModel',
      remedy: 'Use it as it is.',
    });
  }
  const { model, external } = await legibly(readModelFile(path));
  const { input, output } = model.graph!;
  const ports = (infos: typeof input) =>
    infos.map((info): Port => ({ name: info.name, ...readValueInfo(info)! }));
  return { bytes: writeModel(model), inputs: ports(input), outputs: ports(output), files: external.files };
}
