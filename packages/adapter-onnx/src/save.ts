import { rename, rm, writeFile } from 'node:fs/promises';
import type { Provenance, Tensors } from '@gauntlet/core';
import {
  copyModel,
  create,
  dimsOf,
  type ModelProto,
  StringStringEntryProtoSchema,
  writeModel,
  writeTensor,
} from '@gauntlet/onnx';

/** Writes a model with other weights and its provenance in `metadata_props`, whole or not at all. */
export async function saveWeights(
  path: string,
  original: ModelProto,
  weights: Tensors,
  provenance: Provenance,
): Promise<void> {
  const model = copyModel(original);
  model.graph!.initializer = model.graph!.initializer.map((proto) => {
    const found = weights[proto.name];
    return found === undefined
      ? proto
      : writeTensor({ dtype: 'float32', dims: dimsOf(proto), data: found.data }, proto.name);
  });
  const entries = Object.entries(provenance).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
  model.metadataProps = [...model.metadataProps.filter(({ key }) => !(key in provenance)), ...entries];
  const temporary = `${path}.tmp`;
  try {
    await writeFile(temporary, writeModel(model));
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
