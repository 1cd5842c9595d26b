/** The contracts of Gauntlet and the engine that runs them. The registry is under `@gauntlet/core/lab`. */
export { type Adapter, defineAdapter, type ModelSettings } from './adapter.js';
export { apply, type Io, type Shard, shardCount } from './apply.js';
export { defineAttack, type Evasion, type EvasionJob } from './attack.js';
export { type Binder, type Token, token, type Values } from './binder.js';
export {
  type Batch,
  type Dataset,
  type DatasetSettings,
  type DatasetSource,
  defineDataset,
} from './dataset.js';
export { type ErrorCode, GauntletError, isGauntletError, unexpected } from './errors.js';
export { type Evaded, evade, type EvasionTask, maximise } from './evade.js';
export { type Goal } from './goal.js';
export type { Loss, Term } from './loss.js';
export { defineMetric, type Metric } from './metric.js';
export {
  type Access,
  allows,
  type Gradient,
  type GradientModel,
  type LabelModel,
  type Model,
  type ModelFacts,
  type Of,
  type OpenModel,
  type ScoreModel,
} from './model.js';
export { assemble, type Assembled, checkSamples, type Plan, type Step } from './plan.js';
export { API, asPlugin, type Plugin, type PluginFacts, type Sealed } from './plugin.js';
export { type Row, type Verdict, WORST_CASE, worstCase } from './row.js';
export { optionFacts, type OptionFact, type OptionsOf, parseOptions, type Schema } from './schema.js';
export { describeThreat, type Target, type ThreatModel } from './threat.js';
