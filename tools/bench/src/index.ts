/** Timing for ratios: what is compared is run in turns, and medians are compared. */
export { interleaved, median } from './measure.js';
