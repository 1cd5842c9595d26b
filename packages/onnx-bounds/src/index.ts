/** ONNX graph in, graph of outward-rounded bounds out. */
export type { Interval } from './arithmetic.js';
export { bound, type Bounded, type Bounding, propagate, type Propagated } from './bound.js';
