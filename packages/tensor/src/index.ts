/** Batches of numbers, the norms that measure them, the balls that hold them, and seeded random streams. */
export { type Ball, type BallNorm, type Box, ball } from './ball.js';
export { distance, IN_BALL, type Norm, NORMS, norm, within } from './norm.js';
export { type Stream, stream } from './random.js';
export { add, argmax, like, put, row, rows, rowSize, take, type Tensor, tensor } from './tensor.js';
