import fgsm from '@gauntlet/attack-fgsm';
import pgd from '@gauntlet/attack-pgd';
import { maximise } from '@gauntlet/core';
import { row, rows, type Tensor } from '@gauntlet/tensor';
import { broken, open, type Subject } from './subject.js';

/** Where other libraries went wrong without crashing; fixtures/peers and the plugins' READMEs name the cases. */
describe('on real digits', () => {
  const model = 'examples/digits/digits.onnx';
  const data = 'fixtures/digits/test500.npz';
  let subject: Subject;
  beforeAll(async () => void (subject = await open(model, data, {}, 100)));
  afterAll(() => subject.model.close());

  it.each([fgsm, pgd])('epsilon 0 breaks nothing but what was wrong before: $id', async (attack) => {
    const wrong = [...subject.y.keys()].filter((i) => subject.clean[i] !== subject.y[i]);
    expect(await broken(subject, attack, { norm: 'linf', epsilon: 0 })).toEqual(wrong);
  });

  it.each(['linf', 'l2', 'l1'] as const)(
    'a huge %s ball breaks everything, saturated pixels or not',
    async (norm) => {
      expect(await broken(subject, pgd, { norm, epsilon: 784 })).toHaveLength(100);
    },
  );

  it('neither batch order nor batch size changes what PGD finds', async () => {
    const trial = { norm: 'linf', epsilon: 0.1 } as const;
    const whole = await broken(subject, pgd, trial);
    const order = [...subject.y.keys()].reverse().filter((i) => i % 7 < 3);
    const part = await broken(subject, pgd, { ...trial, order });
    // The runtime's own rounding may depend on the batch, and trajectories fork: one digit may change sides.
    const differ = order.filter((i) => whole.includes(i) !== part.includes(i));
    expect(differ.length).toBeLessThanOrEqual(1);
  });

  it('pixels from 0 to 255 with epsilon times 255 are the same attack', async () => {
    const scaled = await open(model, data, { bounds: [0, 255], mean: [0], std: [255] }, 100);
    expect(await broken(scaled, fgsm, { norm: 'linf', epsilon: 0.1 * 255 })).toEqual(
      await broken(subject, fgsm, { norm: 'linf', epsilon: 0.1 }),
    );
    const count = async (on: Subject, epsilon: number) =>
      (await broken(on, pgd, { norm: 'l2', epsilon })).length;
    // Trajectories fork by rounding: a few digits may change sides.
    expect(Math.abs((await count(scaled, 255)) - (await count(subject, 1)))).toBeLessThanOrEqual(3);
    await scaled.model.close();
  });

  it('normalisation inside the model leaves epsilon in pixels', async () => {
    const shifted = await open(model, data, { mean: [0.1307], std: [0.3081] }, 100);
    const inside = { ...subject.x, data: subject.x.data.map((v) => Math.fround((v - 0.1307) / 0.3081)) };
    expect(await shifted.model.labels(subject.x)).toEqual(await subject.model.labels(inside));
    const moved = await craft(shifted, 0.01);
    const far = moved.data.reduce((top, v, i) => Math.max(top, Math.abs(v - subject.x.data[i]!)), 0);
    expect(far).toBeCloseTo(0.01, 6);
    await shifted.model.close();
  });

  it('crafting moves every digit, those that are broken at once and those that never are', async () => {
    for (const epsilon of [0.001, 0.5]) {
      const moved = await craft(subject, epsilon);
      const still = [...subject.y.keys()].filter((i) => same(row(moved, i), row(subject.x, i)));
      expect(still).toEqual([]);
    }
  });

  it('crafting raises the loss of digits that are misclassified already', async () => {
    const wrong = [...subject.y.keys()].filter((i) => subject.clean[i] !== subject.y[i]);
    expect(wrong.length).toBeGreaterThan(0);
    const own = (scores: Tensor, i: number) => row(scores, i)[subject.y[i]!]! - Math.max(...row(scores, i));
    const before = await subject.model.scores(subject.x);
    const after = await subject.model.scores(await craft(subject, 0.1));
    for (const i of wrong) expect(own(after, i)).toBeLessThan(own(before, i));
  });

  const craft = ({ model: on, x, y, box }: Subject, epsilon: number) =>
    maximise({
      attack: pgd,
      options: { steps: 10, stepSize: 0.25, randomStart: true },
      model: on,
      x,
      ids: [...y.keys()],
      goal: { kind: 'untargeted', classes: y, confidence: 0 },
      norm: 'linf',
      epsilon,
      box,
      seed: 0,
      signal: new AbortController().signal,
    });
  const same = (a: Float32Array, b: Float32Array) => a.every((v, i) => v === b[i]);
});

it.each(['linf', 'l2', 'l1'] as const)(
  'rectangular images are attacked in %s as square ones are',
  async (norm) => {
    const name = 'fixtures/models/residual-rectangular-torchscript';
    const opened = await open(`${name}.onnx`, `${name}.npz`);
    const subject = { ...opened, y: opened.clean };
    expect(subject.model.input.shape).toEqual([3, 24, 40]);
    expect(await broken(subject, pgd, { norm, epsilon: 0 })).toEqual([]);
    expect(await broken(subject, pgd, { norm, epsilon: 3000 })).toHaveLength(rows(subject.x));
    await subject.model.close();
  },
);

describe('with few classes', () => {
  it.each([
    ['two', 'fixtures/sklearn/logreg-2'],
    ['three', 'fixtures/sklearn/logreg-3'],
    ['two, hidden layer', 'fixtures/sklearn/mlp-2'],
    ['three, hidden layer', 'fixtures/sklearn/mlp-3'],
  ])('%s', async (_, name) => {
    const bounds = [-1000, 1000] as const;
    const subject = await open(`${name}.onnx`, `${name}.npz`, { bounds });
    const clean = [...subject.y.keys()].filter((i) => subject.clean[i] !== subject.y[i]);
    expect(await broken(subject, pgd, { norm: 'l2', epsilon: 0 })).toEqual(clean);
    expect(await broken(subject, pgd, { norm: 'l2', epsilon: 500 })).toHaveLength(rows(subject.x));
    await subject.model.close();
  });
});
