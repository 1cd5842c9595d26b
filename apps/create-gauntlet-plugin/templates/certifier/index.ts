import { ABSTAIN, type Certificate, defineCertifier, unexpected } from '@gauntlet/core';
import { corners } from '@gauntlet/kit';
import { row } from '@gauntlet/tensor';
import { z } from 'zod';

/**
 * Where a sample's class leads all others by the model's bounds over the whole ball, no point of it gets another answer (Gowal et al. 2018). Write
 * here what yours proves, with its paper.
 */
export default defineCertifier({
  id: 'certifier/__NAME__',
  summary: 'Certifies what the bounds of the model over the whole ball prove.',
  cites: ['arXiv:1810.12715'],
  options: z.strictObject({}),
  certificate: {
    norms: ['linf'],
    finds: 'at-epsilon',
    words: () => 'Certificates are certain. What is not certified may hold all the same.',
    async certify({ model, x, answers, epsilon, box }) {
      if (model.leastLeads === undefined) {
        throw unexpected({
          found: `model ${model.name} without bounds`,
          at: 'certifier/__NAME__',
          expected: 'one that bounds by how much a class leads',
          remedy: 'Certify the model by itself, without defences before it.',
          code: 'unsupported',
        });
      }
      const [lower, upper] = corners(x, epsilon, box);
      const own = answers.map((answer) => Math.max(answer, 0));
      const leads = await model.leastLeads(lower, upper, own); // [n, classes]
      return Array.from(answers, (answer, i): Certificate => {
        if (answer === ABSTAIN) return { outcome: 'unknown', why: 'it abstains' };
        const leading = row(leads, i).every((lead, k) => k === answer || lead > 0);
        return leading
          ? { outcome: 'robust', radius: epsilon }
          : { outcome: 'unknown', why: 'the bounds are too wide' };
      });
    },
  },
});
