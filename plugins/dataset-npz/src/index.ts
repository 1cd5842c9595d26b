import { z } from 'zod';
import { defineDataset } from '@gauntlet/core';
import { openNpz } from './dataset.js';
import { inLayout } from './layout.js';

export { formatHeader, type Dtype } from './npy.js';
export { type Numbers, readNpz } from './read.js';
export { type Member, writeNpz } from './write.js';

const options = z.strictObject({
  x: z
    .string()
    .min(1)
    .default('x')
    .describe('name of the array of samples: float16, float32, float64 or uint8, [n, ...]'),
  y: z.string().min(1).default('y').describe('name of the array of labels: integers, [n] or [n, 1]'),
});

/** Samples and labels from a NumPy .npz file. */
export default defineDataset({
  id: 'dataset/npz',
  summary: 'Samples and labels from a NumPy .npz file.',
  options,
  opens: (path) => path.toLowerCase().endsWith('.npz'),
  open: async (path, { bounds, shape, options: names }) =>
    inLayout(await openNpz(path, bounds, names as z.infer<typeof options>), shape),
});
