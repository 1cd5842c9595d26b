import { unexpected } from '@gauntlet/core';
import { writeModelFile } from '../model-file.js';
import { optionsOf, type RawOptions } from '../options.js';
import { createPlugins } from '../plugins.js';
import type { Terminal } from '../terminal.js';

/** Runs `gauntlet convert`: writes a model of another format as an ONNX file, whole or not at all. */
export async function convert(model: string, raw: RawOptions, terminal: Terminal): Promise<void> {
  const out = optionsOf(raw, 'convert').required('out', '<file>');
  const make = async () => {
    const adapter = await createPlugins(terminal.cwd).adapter(model);
    if (adapter.convert !== undefined) return adapter.convert(model);
    throw unexpected({
      found: `${adapter.id}, which converts nothing`,
      at: model,
      expected: 'a model in a format that can be written in ONNX',
      remedy: 'Export the model to ONNX.',
      code: 'unsupported',
    });
  };
  await writeModelFile({ model, out }, make, terminal);
}
