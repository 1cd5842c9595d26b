import { defineTraining } from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import { z } from 'zod';

/** Learns from attacked samples (Madry et al. 2018, section 2). Write here what yours does, with its paper. */
export default defineTraining({
  id: 'defence/__NAME__',
  summary: 'Learns from the points to which an attack drives the samples of each batch.',
  cites: ['arXiv:1706.06083'],
  crafts: { use: 'attack/pgd', options: { steps: 7, stepSize: 0.25 } },
  norms: ['linf', 'l2', 'l1'],
  options: z.strictObject({
    ramp: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('share of the epochs over which epsilon grows from 0'),
  }),
  async run({ options: { ramp }, epsilon, fit }) {
    await fit({
      name: 'hardening',
      fresh: true,
      lesson: async ({ y, done, craft }) => ({
        x: await craft(epsilon * (done < ramp ? done / ramp : 1)),
        loss: crossEntropy({ kind: 'untargeted', classes: y, confidence: 0 }),
      }),
    });
  },
});
