/** What plugin authors share: losses as data, their evaluation on the host, models made of others, images as planes, balls as corners, one row for all, and statistics. */
export { corners } from './corners.js';
export { reduceDepth } from './depth.js';
export { evaluateLoss, type EvaluatedLoss } from './evaluate.js';
export {
  atMost,
  crossEntropy,
  differenceOfLogitsRatio,
  hinge,
  lead,
  logOdds,
  LOSSES,
  margin,
  softCrossEntropy,
  weighted,
} from './losses.js';
export { clopperPearson } from './interval.js';
export { type Discordant, holm, mcnemar } from './mcnemar.js';
export { type MeanOf, meanModel, type Part } from './mean-model.js';
export { normalQuantile } from './normal.js';
export { type Planes, planesOf } from './planes.js';
export { shifted, sumOfRows } from './shift.js';
export { softmax } from './softmax.js';
