/** What plugin authors share: losses as data, their evaluation on the host, and models made of others. */
export { evaluateLoss, type EvaluatedLoss } from './evaluate.js';
export {
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
export { type MeanOf, meanModel, type Part } from './mean-model.js';
export { type Planes, planesOf } from './planes.js';
