import { defineTraining, type TrainingJob } from '@gauntlet/core';
import { softCrossEntropy, softmax } from '@gauntlet/kit';
import { row, rows, take, type Tensor, tensor } from '@gauntlet/tensor';
import { z } from 'zod';

/**
 * Defensive distillation (Papernot et al. 2016): a teacher learns the labels, and a student of the same shape learns the teacher's softmax, both at
 * a high temperature. What ships is the student, whose scores are read at temperature 1.
 */
export default defineTraining({
  id: 'defence/distillation',
  summary: 'Trains a student on the softened answers of a teacher.',
  cites: ['arXiv:1511.04508'],
  crafts: null,
  norms: [],
  options: z.strictObject({
    temperature: z
      .number()
      .min(1)
      .max(1000)
      .default(20)
      .describe('divides the scores of teacher and student'),
  }),
  async run(job) {
    const { model, fit } = job;
    const { temperature } = job.options;
    await fit({
      name: 'teacher',
      fresh: true,
      lesson: async ({ x, y }) => ({ x, loss: softCrossEntropy(oneHot(y, model.classes), temperature) }),
    });
    const taught = await answers(job, temperature);
    await fit({
      name: 'student',
      fresh: true,
      lesson: async ({ x, places }) => ({ x, loss: softCrossEntropy(take(taught, places), temperature) }),
    });
  },
});

/** A row for each label: 1 at its class. */
function oneHot(y: Int32Array, classes: number): Tensor {
  const data = new Float32Array(y.length * classes);
  y.forEach((label, i) => (data[i * classes + label] = 1));
  return tensor(data, [y.length, classes]);
}

const AT_ONCE = 256;

/** What the model thinks of every sample: softmax(scores / temperature), [samples, classes]. */
async function answers({ model, data, signal }: TrainingJob, temperature: number): Promise<Tensor> {
  const all = tensor(new Float32Array(data.samples * model.classes), [data.samples, model.classes]);
  for (let from = 0; from < data.samples; from += AT_ONCE) {
    signal.throwIfAborted();
    const count = Math.min(AT_ONCE, data.samples - from);
    const { x } = await data.at(Array.from({ length: count }, (_, i) => from + i));
    const scores = await model.scores(x);
    for (let i = 0; i < rows(scores); i++) row(all, from + i).set(softmax(row(scores, i), temperature));
  }
  return all;
}
