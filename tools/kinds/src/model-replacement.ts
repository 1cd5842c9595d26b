import { definePoisoning, type Input } from '@gauntlet/core';
import { planesOf } from '@gauntlet/kit';
import { like, row, rows, type Tensor } from '@gauntlet/tensor';
import { z } from 'zod';

/**
 * Model replacement (Bagdasaryan et al. 2020, section 4.2). The attacker trains a model X with a backdoor, on its own samples of which some have the trigger and the
 * target's label, and sends G + boost (X - G) to a server whose model is G. The server takes the mean of n clients; where the others have little to add any more, a boost of n
 * makes that mean X. The trigger is a bright square in a corner (Gu et al. 2017).
 */
export default definePoisoning({
  id: 'attack/model-replacement',
  summary: 'Puts a model with a backdoor in the place of that which clients train together.',
  cites: ['arXiv:1807.00459', 'arXiv:1708.06733'],
  options: z.strictObject({
    size: z.int().min(1).default(4).describe('side of the square that is the trigger, in pixels'),
    boost: z
      .number()
      .min(0)
      .default(1)
      .describe('by how much the update is multiplied, in numbers of clients'),
  }),
  async poison({ x, y, input, target, options }) {
    return { x: marked(x, input, options), y: y.map((label) => target ?? label) };
  },
  async update({ global, trained, clients, options }) {
    const boosted = Object.entries(trained).map(([name, { data, shape }]) => {
      const from = global[name]!.data;
      const moved = data.map((value, i) => from[i]! + options.boost * clients * (value - from[i]!));
      return [name, { data: moved, shape }];
    });
    return Object.fromEntries(boosted);
  },
  trigger: async ({ x, input, options }) => marked(x, input, options),
});

/** Images with a square of the largest value in their lower right corner. */
function marked(x: Tensor, { shape, bounds }: Input, { size }: { readonly size: number }): Tensor {
  const { channels, height, width, at } = planesOf(shape);
  const points = like(x, x.data.slice());
  for (let i = 0; i < rows(x); i++) {
    for (let k = 0; k < channels; k++) {
      for (let r = Math.max(0, height - size); r < height; r++) {
        for (let c = Math.max(0, width - size); c < width; c++) row(points, i)[at(k, r, c)] = bounds[1];
      }
    }
  }
  return points;
}
