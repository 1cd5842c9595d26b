import type { Dataset } from '@gauntlet/core';
import { tensor } from '@gauntlet/tensor';
import { inLayout } from './layout.js';

const of = (shape: readonly number[]): Dataset => ({
  name: 'counted',
  fingerprint: '',
  samples: 2,
  shape,
  async batch() {
    const data = Float32Array.from({ length: 24 }, (_, i) => i);
    return { ids: [0, 1], x: tensor(data, [2, ...shape]), y: Int32Array.of(0, 1) };
  },
});

it.each([
  // Two channels of two rows of three, written out by hand.
  ['channels last', [2, 2, 3], [2, 3, 2], [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]],
  ['channels first', [2, 3, 2], [2, 2, 3], [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]],
])('puts %s', async (_, shape, wanted, first) => {
  const dataset = inLayout(of(shape), wanted);
  const { x } = await dataset.batch(0, 2);
  expect(dataset.shape).toEqual(wanted);
  expect(x.shape).toEqual([2, ...wanted]);
  expect([...x.data.subarray(0, 12)]).toEqual(first);
  expect([...x.data.subarray(12)]).toEqual(first.map((value) => value + 12));
});

it.each([
  ['the same', [2, 2, 3], [2, 2, 3]],
  ['open', [2, 2, 3], undefined],
  ['of other sizes', [2, 2, 3], [3, 2, 3]],
  ['of other axes', [12], [2, 2, 3]],
  ['height and width swapped', [1, 3, 4], [1, 4, 3]],
])('leaves samples as they are where the shape is %s', (_, shape, wanted) => {
  const dataset = of(shape);
  expect(inLayout(dataset, wanted)).toBe(dataset);
});
