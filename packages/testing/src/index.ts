/** For people who write plugins: a conformance harness per kind, and toy models whose right answers are known. */
export { adapterChecks, type AdapterSubject, testAdapter } from './adapter.js';
export { attackChecks, testAttack } from './attack.js';
export { type AttackSubject } from './attack-subject.js';
export { binderChecks, testBinder } from './binder.js';
export { certifierChecks, type CertifierSubject, testCertifier } from './certifier.js';
export { datasetChecks, type DatasetFiles, type DatasetSubject, testDataset } from './dataset.js';
export { detectorChecks, type DetectorSubject, testDetector } from './detector.js';
export {
  certificateMetricChecks,
  type Fold,
  madeCertified,
  madeRow,
  metricChecks,
  testMetric,
} from './metric.js';
export { motifToy } from './motif-toy.js';
export { preprocessorChecks, type PreprocessorSubject, testPreprocessor } from './preprocessor.js';
export { type Described, factTable, optionTable, testReadme } from './readme.js';
export { poisoningChecks, type PoisoningSubject, testPoisoning } from './poisoning.js';
export { type Check, type Registration, type Runner } from './runner.js';
export {
  curvedToy,
  datasetOf,
  type Differentiable,
  imageToy,
  linearToy,
  type LinearToy,
  scoreModel,
  type Toy,
} from './toys.js';
export { testUniversal, universalChecks, type UniversalSubject } from './universal.js';
export { trainableToy, type TrainableToy } from './trainable.js';
export { testTraining, trainingChecks, type TrainingSubject } from './training.js';
export { testWrapper, wrapperChecks, type WrapperSubject } from './wrapper.js';
