import { type GradientFile, unexpected } from '@gauntlet/core';
import { LOSSES } from '@gauntlet/kit';
import type { GradientRequest } from '../gradient-request.js';
import { writeModelFile } from '../model-file.js';
import { createPlugins, type Plugins } from '../plugins.js';
import type { Terminal } from '../terminal.js';

/** Runs `gauntlet gradient`: writes the model with a loss and its gradient, whole or not at all. */
export async function gradient(request: GradientRequest, terminal: Terminal): Promise<void> {
  const notice = (text: string) => terminal.err(`gauntlet: ${text}\n`);
  await writeModelFile(request, () => make(request, createPlugins(terminal.cwd), notice), terminal);
}

async function make(
  { model, loss, wrt, lowering, input }: GradientRequest,
  plugins: Plugins,
  onNotice: (notice: string) => void,
): Promise<GradientFile> {
  const adapter = await plugins.adapter(model);
  if (adapter.gradientFile === undefined) {
    throw unexpected({
      found: `${adapter.id}, which writes no gradient files`,
      at: model,
      expected: 'a model in a format that can hold its gradient',
      remedy: 'Export the model to ONNX.',
      code: 'unsupported',
    });
  }
  // Labels are an input of the file: only the form of the loss matters.
  const { term } = LOSSES[loss]({ kind: 'untargeted', classes: new Int32Array(), confidence: 0 });
  return adapter.gradientFile(model, { ...input, bounds: [0, 1], loss: term, wrt, lowering, onNotice });
}
