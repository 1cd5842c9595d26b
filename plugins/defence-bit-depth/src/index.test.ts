import { tensor } from '@gauntlet/tensor';
import { testPreprocessor } from '@gauntlet/testing';
import depth from './index.js';

testPreprocessor(depth);
testPreprocessor(depth, { options: { bits: 1 }, shape: [5] });

it.each([
  [1, [0, 0.49, 0.51, 1], [0, 0, 1, 1]],
  [2, [0.16, 0.17, 0.5, 0.84], [0, 1 / 3, 2 / 3, 1]],
  [8, [0.001, 100.4 / 255], [0, 100 / 255]],
])('keeps 2^%i levels', async (bits, given, wanted) => {
  const seen = await depth.run({
    x: tensor(Float32Array.from(given), [1, given.length]),
    input: { shape: [given.length], bounds: [0, 1] },
    options: { bits },
    random: [],
  });
  expect([...seen.data]).toEqual([...Float32Array.from(wanted)]);
});
