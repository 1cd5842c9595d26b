import { tensor } from '@gauntlet/tensor';
import { testPreprocessor } from '@gauntlet/testing';
import jpeg from './index.js';

for (const shape of [
  [1, 8, 8],
  [12, 16, 1],
  [3, 16, 12],
  [16, 12, 3],
  [8, 8],
])
  testPreprocessor(jpeg, { shape });

const OPTIONS = { quality: 75, chroma: '4:2:0' } as const;

const pass = async (data: Float32Array, shape: readonly number[], options: object = OPTIONS) =>
  jpeg.run({
    x: tensor(data, [1, ...shape]),
    input: { shape, bounds: [0, 255] },
    options: options as typeof OPTIONS,
    random: [],
  });

/** A number for each entry, smooth over rows and columns, different for each channel. */
const wave = (k: number, i: number, j: number) =>
  Math.round(128 + 60 * Math.sin(i / 3 + k) + 50 * Math.cos(j / 4 - k));

describe('JPEG', () => {
  // Annex K of the standard: the constant of a block is kept in steps of 16 at quality 50, scaled by 200% - 2 q above and 5000% / q below it, over 8.
  it.each([
    [10, 10],
    [25, 4],
    [50, 2],
    [75, 1],
  ])('at quality %i keeps a flat grey block in steps of %i', async (quality, step) => {
    for (const value of [4, 76, 132, 200, 252]) {
      const { data } = await pass(new Float32Array(64).fill(value), [1, 8, 8], { ...OPTIONS, quality });
      const wanted = Math.min(255, Math.max(0, 128 + step * Math.round((value - 128) / step)));
      data.forEach((given) => expect(Math.abs(given - wanted)).toBeLessThanOrEqual(1));
    }
  });

  it('sees the same image in both layouts', async () => {
    const [first, last] = [new Float32Array(3 * 16 * 24), new Float32Array(3 * 16 * 24)];
    for (let i = 0; i < 16; i++)
      for (let j = 0; j < 24; j++)
        for (let k = 0; k < 3; k++) first[(k * 16 + i) * 24 + j] = last[(i * 24 + j) * 3 + k] = wave(k, i, j);
    const [a, b] = [await pass(first, [3, 16, 24]), await pass(last, [16, 24, 3])];
    for (let i = 0; i < 16; i++)
      for (let j = 0; j < 24; j++)
        for (let k = 0; k < 3; k++) expect(a.data[(k * 16 + i) * 24 + j]).toBe(b.data[(i * 24 + j) * 3 + k]);
    const off = first.map((value, i) => Math.abs(value - a.data[i]!));
    expect(Math.max(...off)).toBeLessThan(60);
    expect(off.reduce((sum, value) => sum + value, 0) / off.length).toBeLessThan(10);
  });

  it('keeps colour whole at 4:4:4, and halves it at 4:2:0', async () => {
    const stripes = Float32Array.from({ length: 3 * 256 }, (_, i) =>
      (i % 16) % 2 === Math.floor(i / 256) % 2 ? 200 : 60,
    );
    const lost = async (chroma: string) => {
      const seen = await pass(stripes, [3, 16, 16], { quality: 100, chroma });
      return Math.max(...stripes.map((value, i) => Math.abs(value - seen.data[i]!)));
    };
    expect(await lost('4:4:4')).toBeLessThan(6);
    expect(await lost('4:2:0')).toBeGreaterThan(30);
  });

  it('says which inputs it takes', async () => {
    await expect(pass(new Float32Array(64), [4, 4, 4])).rejects.toThrow(
      'Unexpected inputs of shape [4,4,4] at defence/jpeg, expected grey or RGB images, with channels first or last. Choose another defence.',
    );
  });
});
