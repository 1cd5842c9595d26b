import { defineWrapper, unexpected } from '@gauntlet/core';
import { meanModel } from '@gauntlet/kit';
import { z } from 'zod';

/** The mean of what several models answer (Strauss et al. 2017). Write here what yours does, with its paper. */
export default defineWrapper({
  id: 'defence/__NAME__',
  summary: 'Answers with the mean of several models.',
  cites: ['arXiv:1709.03423'],
  backward: 'exact',
  models: 'several',
  options: z.strictObject({}),
  wrap({ models }) {
    const { input, classes } = models[0];
    const blind = models.find(({ access }) => access !== 'gradients');
    if (blind !== undefined) {
      throw unexpected({
        found: `${blind.name}, which offers ${blind.access}`,
        at: 'defence/__NAME__',
        expected: 'models that offer gradients',
        remedy: 'Use other models.',
        code: 'unsupported',
      });
    }
    const name = models.map((model) => model.name).join(' + ');
    const facts = { name, input, classes, access: 'gradients' } as const;
    return meanModel(facts, 'probabilities', (points) => models.map((model) => ({ model, points })));
  },
});
