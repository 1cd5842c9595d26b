import { ABSTAIN, type Certificate, defineCertifier, unexpected } from '@gauntlet/core';
import { corners } from '@gauntlet/kit';
import { row } from '@gauntlet/tensor';
import { z } from 'zod';

/**
 * Interval bound propagation (Gowal et al. 2018): every number that the model computes is bounded over the whole ball, layer by layer. Where
 * the class leads all others at its least, no point of the ball gets another answer. Sound, and far from complete: what is not
 * certified may still hold.
 */
export default defineCertifier({
  id: 'certifier/ibp',
  summary: 'Bounds every layer over the whole ball, by intervals.',
  cites: ['arXiv:1810.12715'],
  options: z.strictObject({}),
  certificate: {
    norms: ['linf'],
    finds: 'at-epsilon',
    words: () =>
      'Certificates are certain: bounds are rounded outward. What is not certified may hold all the same.',
    async certify({ model, x, answers, epsilon, box }) {
      if (model.leastLeads === undefined) {
        throw unexpected({
          found: `model ${model.name} without bounds`,
          at: 'certifier/ibp',
          expected: 'one that bounds by how much a class leads',
          remedy: 'Certify the model by itself, from an ONNX file, without defences before it.',
          code: 'unsupported',
        });
      }
      const [lower, upper] = corners(x, epsilon, box);
      const leads = await model.leastLeads(
        lower,
        upper,
        answers.map((answer) => Math.max(answer, 0)),
      );
      return Array.from(answers, (answer, i): Certificate => {
        if (answer === ABSTAIN) return { outcome: 'unknown', why: 'it abstains' };
        if (row(leads, i).every((lead, k) => k === answer || lead > 0))
          return { outcome: 'robust', radius: epsilon };
        return { outcome: 'unknown', why: 'the bounds are too wide' };
      });
    },
  },
});
