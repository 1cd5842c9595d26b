/** Training graphs in ONNX: weights and what the optimiser remembers go in, and come out changed. */
export { freshWeight } from './initialise.js';
export { promote } from './promote.js';
export { appendUpdate, type Carried, type Optimiser, type Training, type Update } from './update.js';
export { type Role, type Weight, weightsOf } from './weights.js';
