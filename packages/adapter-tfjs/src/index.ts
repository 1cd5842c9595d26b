/** Models of TensorFlow.js, run, differentiated and trained by tfjs. */
import { defineAdapter } from '@gauntlet/core';
import { openTfjs } from './open.js';
import { tfFacts } from './runtime.js';
import { trainTfjs } from './train.js';

export { openTfjs, type OpenTfjsSettings } from './open.js';
export { findTf, type FoundTf, type Load, type Tf } from './runtime.js';
export { type LiveModel } from './source.js';
export { trainTfjs, type TrainTfjsSettings } from './train.js';

/** The adapter of models of tfjs. It runs, differentiates and trains them by `@tensorflow/tfjs` or `@tensorflow/tfjs-node`, peers. */
export default defineAdapter({
  id: 'adapter/tfjs',
  engine: 'tf',
  summary: 'Opens the model.json of TensorFlow.js and differentiates it with tfjs.',
  opens: (path) => path.toLowerCase().endsWith('.json'),
  open: openTfjs,
  train: trainTfjs,
  runtime: tfFacts,
});
