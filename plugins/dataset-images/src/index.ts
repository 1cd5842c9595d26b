import { statSync } from 'node:fs';
import { defineDataset } from '@gauntlet/core';
import { z } from 'zod';

const options = z.strictObject({
  resize: z
    .enum(['none', 'fill', 'cover'])
    .default('none')
    .describe(
      'images of another size than the model takes: refuse them, stretch them, or scale and cut them',
    ),
});

/**
 * How images are fitted to the model.
 *
 * @useDeclaredType
 */
export type ImageOptions = z.infer<typeof options>;

/** Samples from a folder of PNG or JPEG images. */
export default defineDataset({
  id: 'dataset/images',
  summary: 'Samples from a folder of PNG or JPEG images: a subfolder per class, or a labels.csv.',
  options,
  opens: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  async open(path, { options: chosen, ...settings }) {
    // The decoder is a native library: it is loaded for folders of images and for nothing else.
    const { openImages } = await import('./dataset.js');
    return openImages(path, settings, chosen as ImageOptions);
  },
});
