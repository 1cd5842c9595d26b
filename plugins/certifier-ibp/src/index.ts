import { ABSTAIN, type Certificate, defineCertifier, unexpected } from '@gauntlet/core';
import { IN_BALL, like, row, type Tensor } from '@gauntlet/tensor';
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

/** Corners between which ball and box lie, with what counts as in the ball by rounding, and rounded outward to float32. */
function corners(x: Tensor, epsilon: number, [lo, hi]: readonly [number, number]): [Tensor, Tensor] {
  const reach = epsilon * (1 + IN_BALL.relative) + IN_BALL.absolute;
  const outward = (by: number) =>
    x.data.map((value) => {
      const edge = value + by * reach;
      return Math.min(hi, Math.max(lo, edge + by * 2 ** -23 * Math.abs(edge)));
    });
  return [like(x, outward(-1)), like(x, outward(1))];
}
