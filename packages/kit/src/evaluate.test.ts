import type { Goal, Loss, Term } from '@gauntlet/core';
import { tensor } from '@gauntlet/tensor';
import { crossEntropy, evaluateLoss, logOdds, margin, softCrossEntropy, weighted } from './index.js';

const scores = (...values: number[]) => tensor(Float32Array.from(values), [1, values.length]);
const goal = (kind: Goal['kind'], label: number): Goal => ({
  kind,
  classes: Int32Array.of(label),
  confidence: 0,
});
const softmax = (values: number[]) => {
  const parts = values.map((value) => Math.exp(value - Math.max(...values)));
  return parts.map((part) => part / parts.reduce((a, b) => a + b));
};

describe('cross-entropy', () => {
  const z = [1.5, -0.5, 0.25];

  it('equals -log softmax, with derivative softmax - onehot', () => {
    const { loss, scoresGradient } = evaluateLoss(crossEntropy(goal('untargeted', 1)), scores(...z));
    const p = softmax(z);
    expect(loss[0]).toBeCloseTo(-Math.log(p[1]!), 6);
    p.forEach((value, j) => expect(scoresGradient.data[j]).toBeCloseTo(value - (j === 1 ? 1 : 0), 6));
  });

  it('is turned round when targeted', () => {
    const away = evaluateLoss(crossEntropy(goal('untargeted', 2)), scores(...z));
    const to = evaluateLoss(crossEntropy(goal('targeted', 2)), scores(...z));
    expect(to.loss[0]).toBe(-away.loss[0]!);
    expect([...to.scoresGradient.data]).toEqual([...away.scoresGradient.data].map((g) => -g));
  });

  it('keeps its derivative where the softmax rounds to one', () => {
    const { scoresGradient } = evaluateLoss(crossEntropy(goal('untargeted', 0)), scores(60, 0, -1));
    const other = Math.exp(-60);
    expect(scoresGradient.data[0]! / -(other + Math.exp(-61))).toBeCloseTo(1, 5);
    expect(scoresGradient.data[1]! / other).toBeCloseTo(1, 5);
  });

  it.each([-100, 100])('does not change when all scores shift by %p', (shift) => {
    const at = (by: number) =>
      evaluateLoss(crossEntropy(goal('untargeted', 1)), scores(...z.map((v) => v + by)));
    expect(at(shift).loss[0]).toBeCloseTo(at(0).loss[0]!, 4);
  });
});

describe('soft cross-entropy', () => {
  const z = [1.5, -0.5, 0.25];

  it('equals cross-entropy on labels at temperature 1', () => {
    const soft = evaluateLoss(softCrossEntropy(scores(0, 1, 0), 1), scores(...z));
    const plain = evaluateLoss(crossEntropy(goal('untargeted', 1)), scores(...z));
    expect(soft.loss[0]).toBeCloseTo(plain.loss[0]!, 6);
    soft.scoresGradient.data.forEach((value, j) =>
      expect(value).toBeCloseTo(plain.scoresGradient.data[j]!, 6),
    );
  });

  it('is least where the softmax at the temperature is the target, and equals its entropy there', () => {
    const p = softmax(z.map((value) => value / 20));
    const { loss, scoresGradient } = evaluateLoss(softCrossEntropy(scores(...p), 20), scores(...z));
    expect(loss[0]).toBeCloseTo(-p.reduce((sum, share) => sum + share * Math.log(share), 0), 6);
    scoresGradient.data.forEach((value) => expect(value).toBeCloseTo(0, 7));
  });

  it('has the derivative (softmax - target) / temperature', () => {
    const p = softmax(z.map((value) => value / 4));
    const { scoresGradient } = evaluateLoss(softCrossEntropy(scores(0.5, 0.5, 0), 4), scores(...z));
    [0.5, 0.5, 0].forEach((share, j) => expect(scoresGradient.data[j]).toBeCloseTo((p[j]! - share) / 4, 6));
  });
});

describe('weighted scores', () => {
  it('pull the weights back', () => {
    const { loss, scoresGradient } = evaluateLoss(weighted(scores(2, 0, -1)), scores(3, 5, 7));
    expect([...loss]).toEqual([2 * 3 - 7]);
    expect([...scoresGradient.data]).toEqual([2, 0, -1]);
  });
});

describe('log-odds', () => {
  it('have the direction of cross-entropy', () => {
    const at = (loss: typeof logOdds) =>
      evaluateLoss(loss(goal('untargeted', 1)), scores(1.5, -0.5, 0.25)).scoresGradient.data;
    const ratios = at(logOdds).map((value, j) => value / at(crossEntropy)[j]!);
    ratios.forEach((ratio) => expect(ratio).toBeCloseTo(ratios[0]!, 5));
    expect(ratios[0]).toBeGreaterThan(0);
  });

  it('keep their gradient however confident the model is', () => {
    const { scoresGradient } = evaluateLoss(logOdds(goal('untargeted', 0)), scores(1e4, 3, 3));
    expect([...scoresGradient.data]).toEqual([-1, 0.5, 0.5]);
  });
});

describe('margin', () => {
  it('is how far the best other class leads', () => {
    const { loss, scoresGradient } = evaluateLoss(margin(goal('untargeted', 0)), scores(3, 1, 2));
    expect(loss[0]).toBe(-1);
    expect([...scoresGradient.data]).toEqual([-1, 0, 1]);
  });
});

describe('every term', () => {
  const own: Term = { op: 'pick', class: 'c' };
  const top: Term = { op: 'ranked', place: 0 };
  const terms: Record<string, Term> = {
    pick: own,
    maxOther: { op: 'maxOther', class: 'c' },
    logSumExpOther: { op: 'logSumExpOther', class: 'c' },
    ranked: { op: 'ranked', place: 2 },
    given: { op: 'mul', of: [{ op: 'given', name: 'g' }, own] },
    constant: { op: 'add', of: [{ op: 'constant', value: 2 }, own] },
    softplus: { op: 'softplus', of: own },
    relu: { op: 'relu', of: own },
    neg: { op: 'neg', of: own },
    sub: { op: 'sub', of: [own, top] },
    div: { op: 'div', of: [own, { op: 'sub', of: [top, { op: 'ranked', place: 2 }] }] },
  };

  it.each(Object.keys(terms))('%s has the derivative that central differences find', (name) => {
    const z = [0.3, 1.7, -0.6, 0.9];
    const loss: Loss = {
      term: terms[name]!,
      classes: { c: Int32Array.of(3) },
      given: { g: Float32Array.of(1.5) },
    };
    const at = (values: number[]) => evaluateLoss(loss, scores(...values));
    const step = 1e-2;
    z.forEach((_, j) => {
      const moved = (by: number) => at(z.map((value, k) => (k === j ? value + by : value))).loss[0]!;
      expect(at(z).scoresGradient.data[j]).toBeCloseTo((moved(step) - moved(-step)) / (2 * step), 3);
    });
  });
});
