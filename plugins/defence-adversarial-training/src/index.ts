import { defineTraining } from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import { z } from 'zod';

/**
 * Adversarial training (Madry et al. 2018, section 2): minimises the expected loss of the worst point in each sample's ball, which an attack on
 * the model as it is looks for. Epsilon grows linearly from 0: from fresh weights, full attacks teach nothing but the classes' shares.
 */
export default defineTraining({
  id: 'defence/adversarial-training',
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
    fresh: z.boolean().default(false).describe('start from fresh random weights, not from those of the file'),
  }),
  async run({ options: { ramp, fresh }, epsilon, fit }) {
    await fit({
      name: 'hardening',
      fresh,
      lesson: async ({ y, done, craft }) => ({
        x: await craft(epsilon * (done < ramp ? done / ramp : 1)),
        loss: crossEntropy({ kind: 'untargeted', classes: y, confidence: 0 }),
      }),
    });
  },
});
