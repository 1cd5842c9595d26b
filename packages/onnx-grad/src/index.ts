export type { Differentiation } from './differentiate.js';
export { differentiate } from './differentiate.js';
export type { GradientOptions } from './gradient-model.js';
export { gradientModel } from './gradient-model.js';
export { inferTypes } from './infer.js';
export type { Lowering } from './rule.js';
