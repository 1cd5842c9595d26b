import { type Access, allows, defineWrapper, type Model, unexpected } from '@gauntlet/core';
import { meanModel } from '@gauntlet/kit';
import { z } from 'zod';

/**
 * The mean of what several models answer (Hansen and Salamon 1990; as a defence Strauss et al. 2017). Gradients pass exactly: an
 * attack sees the mean, and so every member.
 */
export default defineWrapper({
  id: 'defence/ensemble',
  summary: 'Answers with the mean of several models.',
  cites: ['doi:10.1109/34.58871', 'arXiv:1709.03423'],
  backward: 'exact',
  models: 'several',
  options: z.strictObject({
    mean: z
      .enum(['probabilities', 'logits'])
      .default('probabilities')
      .describe('what is averaged: what a softmax makes of the scores, or the scores'),
  }),
  wrap({ models, options }) {
    const { input, classes } = models[0];
    const name = models.map((model) => model.name).join(' + ');
    const facts = { name, input, classes, access: commonAccess(models) };
    return meanModel(facts, options.mean, (points) => models.map((model) => ({ model, points })));
  },
});

/** The highest rung that all members offer; without scores there is nothing to average. */
function commonAccess(models: readonly Model<Access>[]): Access {
  for (const { access, name } of models) {
    if (allows(access, 'scores')) continue;
    throw unexpected({
      found: `member ${name} that offers ${access}`,
      at: 'defence/ensemble',
      expected: 'members that offer scores',
      remedy: 'Use other models.',
      code: 'unsupported',
    });
  }
  return models.every(({ access }) => access === 'gradients') ? 'gradients' : 'scores';
}
