import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ModelProto, readModel, writeModel } from '@gauntlet/onnx';
import { atPath } from './read.js';
import { createSession } from './runtime.js';

/** The model after ONNX Runtime folded its constants and fused what standard operators can say; `at` names it in messages. */
export async function tidy(model: ModelProto, at: string): Promise<ModelProto> {
  const folder = await mkdtemp(join(tmpdir(), 'gauntlet-'));
  try {
    const file = join(folder, 'tidy.onnx');
    const session = await createSession(writeModel(model), at, {
      graphOptimizationLevel: 'basic',
      optimizedModelFilePath: file,
    });
    await session.release();
    const bytes = await readFile(file);
    return atPath(at, () => readModel(bytes));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
