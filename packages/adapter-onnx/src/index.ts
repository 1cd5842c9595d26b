/** Models in ONNX files, run and differentiated by ONNX Runtime. */
import { defineAdapter } from '@gauntlet/core';
import { gradientFile } from './gradient-file.js';
import { convert } from './convert.js';
import { openOnnx } from './open.js';
import { isLayersModel } from './read.js';
import { runtimeFacts } from './runtime-facts.js';
import { trainOnnx } from './trainable.js';

export { gradientFile, type OnnxGradientSettings } from './gradient-file.js';
export { buildGradient, type GradientGraph, platformLowering } from './gradient.js';
export { type CompiledLoss } from './loss.js';
export { type External } from './external.js';
export { type Input, type InputPort, type InputSettings } from './input.js';
export { type OpenOnnxSettings, openOnnx } from './open.js';
export { openTexts, type OpenTextsSettings, type TextModel } from './text.js';
export { prepare, type PrepareSettings } from './prepare.js';
export { type Prepared } from './prepared.js';
export { type Read, type ReadSettings } from './read.js';
export { loadRuntime, type Runtime } from './runtime.js';
export { trainOnnx, type TrainOnnxSettings } from './trainable.js';
export { type TrialLimits } from './trial.js';

/** The adapter of ONNX files, and, converted, of models of tfjs. It runs, differentiates, bounds and trains them by `onnxruntime-node`, a peer. */
export default defineAdapter({
  id: 'adapter/onnx',
  engine: 'onnx',
  summary:
    'Opens .onnx files and differentiates them with ONNX Runtime; the model.json of tfjs is converted.',
  opens: (path) => path.toLowerCase().endsWith('.onnx') || isLayersModel(path),
  open: openOnnx,
  train: trainOnnx,
  runtime: runtimeFacts,
  gradientFile,
  convert,
});
