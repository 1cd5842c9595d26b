/** The contracts of Gauntlet and the engine that runs them. The registry is under `@gauntlet/core/lab`. */
export {
  type Adapter,
  defineAdapter,
  type GradientFile,
  type GradientFileSettings,
  type ModelFile,
  type ModelSettings,
  type Port,
  type RuntimeFacts,
} from './adapter.js';
export { apply, type Io, type Shard, shardCount } from './apply.js';
export {
  accessOf,
  type Cost,
  defineAttack,
  type Evasion,
  type EvasionJob,
  type Finds,
  runsOn,
} from './attack.js';
export { type FitSamples, fitArtifact, type Fitted, tryArtifact, type UniversalTask } from './artifact.js';
export { type Binder, type Token, token, type Values } from './binder.js';
export {
  certifiedShardCount,
  type CertifiedShard,
  certify,
  ownProver,
  type Prover,
  proverOf,
} from './certify.js';
export { checkShapes, checkValues } from './check-data.js';
export { type Channels, channelsOf } from './channels.js';
export type { Clean } from './clean.js';
export {
  type Batch,
  type Dataset,
  type DatasetSettings,
  type DatasetSource,
  defineDataset,
} from './dataset.js';
export {
  type Backward,
  type Certificate,
  type Certified,
  type Certifier,
  type CertifierJob,
  defineCertifier,
  defineDetector,
  definePreprocessor,
  defineWrapper,
  type Detector,
  type DetectorJob,
  type Preprocessor,
  type PreprocessorJob,
  type Proof,
  type Wrapper,
  type WrapperJob,
} from './defence.js';
export { defend, type Layer } from './defend.js';
export { type ErrorCode, GauntletError, isGauntletError, unexpected } from './errors.js';
export { type Evaded, evade, evadeIn, type EvasionTask, maximise, type SpaceTask } from './evade.js';
export { fitThresholds, thresholdFor } from './fit.js';
export { type Goal, reachedByScores } from './goal.js';
export type { Kept } from './keep.js';
export { checkLoss, type Loss, lossAt, type Term } from './loss.js';
export { type CertificateMetric, defineCertificateMetric, defineMetric, type Metric } from './metric.js';
export {
  ABSTAIN,
  type Access,
  allows,
  type Gradient,
  type GradientModel,
  type Input,
  type LabelModel,
  type Model,
  type ModelFacts,
  type Noise,
  type Of,
  type OpenModel,
  type ScoreModel,
} from './model.js';
export {
  assemble,
  type Assembled,
  checkSamples,
  type Plan,
  type PlannedAttack,
  type PlannedFit,
  type Step,
} from './plan.js';
export {
  accuracyOf,
  type Attacker,
  poison,
  poisoned,
  type PoisoningTask,
  type PoisonRow,
  triggeredOf,
} from './poison.js';
export {
  definePoisoning,
  type Labelled,
  type Poisoning,
  type PoisoningJob,
  type TriggerJob,
  type UpdateJob,
} from './poisoning.js';
export { federate, type FederationTask, type Round } from './federate.js';
export { API, asPlugin, type Plugin, type PluginFacts, type Sealed } from './plugin.js';
export type { Point, Points } from './points.js';
export { type Row, runOf, type Verdict, WORST_CASE, worstCase } from './row.js';
export { setApart } from './samples.js';
export {
  checkOptions,
  optionFacts,
  type OptionFact,
  type OptionsOf,
  parseOptions,
  type Schema,
  type Validated,
} from './schema.js';
export type { Space } from './space.js';
export type { Tree, Trees } from './trees.js';
export type { Pool } from './starts.js';
export { describeThreat, type Target, type ThreatModel } from './threat.js';
export { describeTimeBudget, type Extent, type TimeBudget } from './time-budget.js';
export { train } from './train.js';
export type { Checkpoint, Epoch, Trained, TrainingIo, TrainingTask } from './training-task.js';
export {
  type Crafting,
  defineTraining,
  type Lesson,
  type ModelState,
  type Optimiser,
  type Provenance,
  type Stage,
  type Tensors,
  type TrainableModel,
  type Training,
  type TrainingBatch,
  type TrainingJob,
  weightIn,
} from './training.js';
export {
  type ApplyJob,
  type Attack,
  defineUniversal,
  type FitBatch,
  type FitData,
  type FitJob,
  type Universal,
} from './universal.js';
export { DRAWS, type Found } from './watch.js';
export {
  describeBackward,
  describeWay,
  isOpen,
  OPEN,
  type PlannedDefence,
  STATIC,
  UNDEFENDED,
} from './way.js';
export { count, counted, duration, percent, radius, range, short, shortName } from './words.js';
