/** What plugin authors share: losses as data, and their evaluation on the host. */
export { evaluateLoss, type EvaluatedLoss } from './evaluate.js';
export { crossEntropy, logOdds, margin } from './losses.js';
