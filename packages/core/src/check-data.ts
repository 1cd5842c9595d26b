import { unexpected } from './errors.js';
import type { Dataset } from './dataset.js';
import type { Access, Model } from './model.js';

/** Whether a number is the id of one of so many classes. */
export const isClass = (value: number, classes: number): boolean =>
  Number.isInteger(value) && value >= 0 && value < classes;

/** @throws GauntletError `input` when a data set is empty, or of another shape than the model takes. */
export async function checkShapes(model: Model<Access>, dataset: Dataset): Promise<void> {
  if (dataset.samples === 0) {
    throw unexpected({
      found: 'no samples',
      at: dataset.name,
      expected: 'at least one',
      remedy: 'Pass a data set with samples.',
    });
  }
  if (String(dataset.shape) !== String(model.input.shape)) {
    throw unexpected({
      found: `samples of shape [${dataset.shape}]`,
      at: dataset.name,
      expected: `[${model.input.shape}], as ${model.name} takes`,
      remedy: 'Reshape or transpose the data to fit the model.',
    });
  }
}

/**
 * Reads the first samples of a data set once.
 *
 * @throws GauntletError `input` at the first sample with a NaN, a value outside the box or a label that is no class.
 */
export async function checkValues(
  model: Model<Access>,
  dataset: Dataset,
  {
    samples,
    batchSize,
    box,
  }: { readonly samples: number; readonly batchSize: number; readonly box: readonly [number, number] },
): Promise<void> {
  const [lo, hi] = box.map(Math.fround) as [number, number];
  for (let from = 0; from < samples; from += batchSize) {
    const { ids, x, y } = await dataset.batch(from, Math.min(from + batchSize, samples));
    const size = x.data.length / ids.length;
    const wrong = x.data.findIndex((value) => !(value >= lo && value <= hi));
    if (wrong >= 0) {
      const value = x.data[wrong]!;
      throw unexpected({
        found: Number.isFinite(value) ? `value ${value}` : String(value),
        at: `sample ${ids[Math.floor(wrong / size)]} of ${dataset.name}`,
        expected: `numbers from ${box[0]} to ${box[1]}`,
        remedy: Number.isFinite(value)
          ? 'Say what values inputs may take with --bounds LO,HI.'
          : 'Remove or mend the sample.',
      });
    }
    const stray = y.findIndex((label) => !isClass(label, model.classes));
    if (stray >= 0) {
      throw unexpected({
        found: `label ${y[stray]}`,
        at: `sample ${ids[stray]} of ${dataset.name}`,
        expected: `a class from 0 to ${model.classes - 1}, as ${model.name} has ${model.classes} classes`,
        remedy: 'Mend the labels, or name the right output of the model.',
      });
    }
  }
}
