/** Models in ONNX files, run and differentiated by ONNX Runtime. */
import { defineAdapter } from '@gauntlet/core';
import { openOnnx } from './open.js';

export { buildGradient, type GradientGraph, platformLowering } from './gradient.js';
export { type CompiledLoss } from './loss.js';
export { type OpenOnnxSettings, openOnnx } from './open.js';
export { prepare } from './prepare.js';
export { type Prepared } from './prepared.js';
export { loadRuntime, type Runtime } from './runtime.js';

export default defineAdapter({
  id: 'adapter/onnx',
  summary: 'Opens .onnx files and differentiates them with ONNX Runtime.',
  opens: (path) => path.toLowerCase().endsWith('.onnx'),
  open: openOnnx,
});
