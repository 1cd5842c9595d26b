import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { OpenModel } from '@gauntlet/core';
import { crossEntropy } from '@gauntlet/kit';
import { argmax, take, type Tensor } from '@gauntlet/tensor';
import { openOnnx } from './open.js';
import { readNpz } from './testing/npz.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DIGITS = `${ROOT}examples/digits/digits.onnx`;

const open = (path: string) =>
  openOnnx(path, { bounds: [0, 1], trial: false }) as Promise<OpenModel<'gradients'>>;

const distance = (a: Float32Array, b: Float32Array) =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0));
const relative = (a: Float32Array, b: Float32Array) =>
  distance(a, b) / distance(b, new Float32Array(b.length));

const recorded = (folder: string) =>
  readdirSync(`${ROOT}fixtures/${folder}`)
    .filter((file) => file.endsWith('.npz'))
    .map((file) => file.slice(0, -4))
    .filter((name) => 'gradient' in readNpz(`${ROOT}fixtures/${folder}/${name}.npz`))
    .map((name) => [`${folder}/${name}`] as const);

const fileOf = (name: string) => {
  const file = `${ROOT}fixtures/${name}.onnx`;
  return existsSync(file) ? file : DIGITS;
};

const untargeted = (y: ArrayLike<number>) =>
  crossEntropy({ kind: 'untargeted', classes: Int32Array.from(y), confidence: 0 });

describe('whole models', () => {
  it.each([...recorded('models'), ...recorded('sklearn')])('%s has the recorded gradient', async (name) => {
    const { x, y, logits, loss, gradient } = readNpz(`${ROOT}fixtures/${name}.npz`) as Record<string, Tensor>;
    const model = await open(fileOf(name));
    expect(model.classes).toBe(logits!.shape[1]);
    const scores = await model.scores(x!);
    expect(relative(scores.data, logits!.data)).toBeLessThan(1e-4);
    expect(await model.labels(x!)).toEqual(argmax(logits!));
    const found = await model.gradient(x!, untargeted(y!.data));
    expect(relative(found.gradient.data, gradient!.data)).toBeLessThan(1e-4);
    expect(relative(found.loss, loss!.data)).toBeLessThan(1e-4);
    expect(relative(found.scores.data, logits!.data)).toBeLessThan(1e-4);
    await model.close();
  });
});

describe('the digit classifier', () => {
  it('answers the same whatever the batch size and order', async () => {
    const { x, y } = readNpz(`${ROOT}fixtures/models/digits.npz`) as Record<'x' | 'y', Tensor>;
    const model = await open(DIGITS);
    const whole = await model.gradient(x, untargeted(y.data));
    const order = [3, 1, 0, 2];
    const some = await model.gradient(take(x, order), untargeted(order.map((i) => y.data[i]!)), {
      of: order,
    });
    order.forEach((from, to) => expect(some.loss[to]).toBeCloseTo(whole.loss[from]!, 5));
    const reordered = take(whole.gradient, order).data;
    expect(relative(some.gradient.data, reordered)).toBeLessThan(1e-5);
    const one = await model.gradient(take(x, [2]), untargeted([y.data[2]!]), { of: [2] });
    expect(relative(one.gradient.data, take(whole.gradient, [2]).data)).toBeLessThan(1e-5);
    await model.close();
    await expect(async () => model.scores(x)).rejects.toThrow('after close()');
  });
});
