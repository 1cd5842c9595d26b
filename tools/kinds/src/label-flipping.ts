import { definePoisoning } from '@gauntlet/core';
import { z } from 'zod';

/**
 * Label flipping (Biggio et al. 2011, section 3): inputs stay as they are, and each label becomes another one, the target where there is one. Which samples
 * these are is drawn, not searched for.
 */
export default definePoisoning({
  id: 'attack/label-flipping',
  summary: 'Gives samples the label of another class.',
  cites: ['https://proceedings.mlr.press/v20/biggio11.html'],
  options: z.strictObject({}),
  async poison({ x, y, classes, target, random }) {
    const other = (label: number, i: number) => (label + 1 + random[i]!.integer(classes - 1)) % classes;
    return { x, y: y.map((label, i) => target ?? other(label, i)) };
  },
});
