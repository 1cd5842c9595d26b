/** What plugin authors share: losses as data, and their evaluation on the host. */
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
export { type Planes, planesOf } from './planes.js';
