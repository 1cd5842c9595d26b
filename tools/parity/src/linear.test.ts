import cw from '@gauntlet/attack-cw';
import deepfool from '@gauntlet/attack-deepfool';
import fgsm from '@gauntlet/attack-fgsm';
import hopSkipJump from '@gauntlet/attack-hop-skip-jump';
import pgd from '@gauntlet/attack-pgd';
import type { Term } from '@gauntlet/core';
import { norm, row, rows } from '@gauntlet/tensor';
import { broken, nearest, open, type Subject } from './subject.js';

const DUAL = { linf: 'l1', l2: 'l2', l1: 'linf' } as const;

/** The exact distance of each sample from the nearest other class: lead / dual norm of the difference of weights. */
async function distances({ model, x, y }: Subject, kind: keyof typeof DUAL): Promise<number[]> {
  const scores = await model.scores(x);
  const pick: Term = { op: 'pick', class: 'one' };
  const weights = await Promise.all(
    [0, 1, 2].map(async (k) => {
      const all = { term: pick, classes: { one: new Int32Array(rows(x)).fill(k) }, given: {} };
      return row((await model.gradient(x, all)).gradient, 0);
    }),
  );
  return Array.from(y, (label, i) => {
    const own = row(scores, i);
    const others = [0, 1, 2].filter((k) => k !== label);
    return Math.min(
      ...others.map((k) => {
        const slope = weights[label]!.map((w, j) => w - weights[k]![j]!);
        return (own[label]! - own[k]!) / norm(slope, DUAL[kind]);
      }),
    );
  });
}

describe('on a linear model of three classes, the smallest perturbations over the exact ones', () => {
  let subject: Subject;
  beforeAll(async () => {
    // Wider than the samples, so that the box binds nobody and the closed form holds.
    const bounds = [-1, 2] as const;
    subject = await open('fixtures/models/linear.onnx', 'fixtures/models/linear.npz', { bounds });
  });
  afterAll(() => subject.model.close());

  // Carlini and Wagner attack the class of the highest score, the others that of the nearest plane.
  it.each([
    [cw.id, 'l2', 1.03, cw, { learningRate: 0.005 }],
    [deepfool.id, 'l2', 1.025, deepfool, {}],
    [deepfool.id, 'linf', 1.025, deepfool, {}],
    [hopSkipJump.id, 'l2', 1.1, hopSkipJump, { steps: 16 }],
    [hopSkipJump.id, 'linf', 1.1, hopSkipJump, { steps: 16 }],
  ] as const)('%s in %s', async (_, kind, most, attack, options) => {
    const exact = await distances(subject, kind);
    const found = await nearest(subject, attack, { norm: kind, options });
    const tried = [...exact.keys()].filter((i) => found[i] !== 0);
    const ratios = tried.map((i) => found[i]! / exact[i]!);
    expect(Math.min(...ratios)).toBeGreaterThan(1 - 1e-4);
    expect(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toBeLessThanOrEqual(most);
  });
});

describe.each(['linf', 'l2', 'l1'] as const)('on a linear model of three classes, in %s', (kind) => {
  let subject: Subject;
  let exact: number[];
  beforeAll(async () => {
    subject = await open('fixtures/models/linear.onnx', 'fixtures/models/linear.npz');
    exact = await distances(subject, kind);
  });
  afterAll(() => subject.model.close());

  it.each([0.5, 1, 2])(
    'PGD at %p of the median distance breaks nothing beyond its reach, and all well within',
    async (share) => {
      const epsilon = share * [...exact].sort((a, b) => a - b)[exact.length >> 1]!;
      const found = await broken(subject, pgd, { norm: kind, epsilon });
      const possible = [...exact.keys()].filter((i) => exact[i]! < epsilon);
      expect(found.filter((i) => !possible.includes(i))).toEqual([]);
      // The two other classes pull together, which is not the shortest way to either. With two classes PGD is exact (the
      // conformance checks show it); with three it stays within a fifth of the optimum.
      expect(possible.filter((i) => exact[i]! < 0.8 * epsilon && !found.includes(i))).toEqual([]);
    },
  );

  it('FGSM breaks most of it in one step', async () => {
    const epsilon = 2 * [...exact].sort((a, b) => a - b)[exact.length >> 1]!;
    const possible = exact.filter((distance) => distance < epsilon).length;
    expect((await broken(subject, fgsm, { norm: kind, epsilon })).length).toBeGreaterThan(0.8 * possible);
  });
});
