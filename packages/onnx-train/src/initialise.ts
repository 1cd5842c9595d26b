import { stream } from '@gauntlet/tensor';

import type { Weight } from './weights.js';

/** The standard deviation of entries of fresh tables, as transformers have it. */
const SPREAD = 0.02;
const SLOPE = 0.25;

/**
 * Fresh numbers for a weight, the same for the same seed: kernels and their biases uniform within 1 / sqrt(fan), as PyTorch's layers start;
 * scales 1 and shifts 0, tables of several axes normal.
 */
export function freshWeight({ name, dims, role, fan }: Weight, seed: number): Float32Array {
  const length = dims.reduce((product, n) => product * n, 1);
  const random = stream('weights', seed, name);
  const filled = (draw: () => number) => Float32Array.from({ length }, draw);
  switch (role) {
    case 'kernel':
    case 'bias':
    case 'recurrent':
      return filled(() => (2 * random.uniform() - 1) / Math.sqrt(fan));
    case 'scale':
      return filled(() => 1);
    case 'slope':
      return filled(() => SLOPE);
    case 'shift':
      return filled(dims.filter((n) => n > 1).length > 1 ? () => SPREAD * random.normal() : () => 0);
    case 'table':
      return filled(() => SPREAD * random.normal());
  }
}
