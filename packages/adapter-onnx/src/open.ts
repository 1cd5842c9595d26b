import type { OpenModel } from '@gauntlet/core';
import type { Lowering } from '@gauntlet/onnx-grad';
import { serve } from './model.js';
import { prepare, type PrepareSettings } from './prepare.js';
import { isLayersModel } from './read.js';
import { loadRuntime } from './runtime.js';
import { treesOf } from './trees.js';
import { prepareApart, type TrialLimits } from './trial.js';

/** How an ONNX file is opened, beside what every adapter knows. */
export interface OpenOnnxSettings extends PrepareSettings {
  /** How masks and convolutions are written in gradient graphs; by default what suits the processor. */
  readonly lowering?: Lowering;
  /** Whether the file is first loaded and run in a process of its own, and with what limits. On by default: turn it off for files that you made. */
  readonly trial?: boolean | TrialLimits;
}

/** Opens an ONNX file. Where some op has no gradient, the model offers scores, and says why by `onNotice`. */
export async function openOnnx(
  path: string,
  settings: OpenOnnxSettings,
): Promise<OpenModel<'gradients'> | OpenModel<'scores'>> {
  // While the file is on trial, this process has time to load the runtime.
  const loaded = loadRuntime();
  const [prepared] = await Promise.all([
    settings.trial === false ? prepare(path, settings) : prepareApart(path, settings),
    loaded,
  ]);
  const { name, notices, refusal } = prepared;
  if (isLayersModel(path)) {
    settings.onNotice?.(
      `${name} is a model of tfjs: it was converted to ONNX and runs in ONNX Runtime (--engine tf runs it in tfjs).`,
    );
  }
  for (const notice of notices) settings.onNotice?.(notice);
  if (refusal !== null) {
    settings.onNotice?.(
      `${name} offers no gradients, so only score- and label-based attacks run. ${refusal}`,
    );
  }
  // What can be differentiated is no tree.
  const trees = refusal === null ? undefined : treesOf(prepared);
  return { ...(await serve(prepared, settings)), files: prepared.files, ...(trees && { trees }) };
}
