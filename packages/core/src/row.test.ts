import { type Row, WORST_CASE, worstCase } from './index.js';

const made = (sample: number, attack: string, epsilon: number, broken: number | null): Row => ({
  model: 'm',
  sample,
  attack,
  finds: 'within-budget',
  norm: 'linf',
  epsilon,
  label: 0,
  target: null,
  clean: 0,
  adversarial: broken === null ? 0 : 1,
  verdict: broken === null ? 'held' : 'broken',
  distance: broken === null ? null : { l0: 1, l1: broken, l2: broken, linf: broken },
  queries: 2,
  gradients: 1,
  seconds: 0.5,
  seed: 0,
});

describe('worstCase', () => {
  it('folds over attacks and over smaller epsilons', () => {
    const rows = [
      made(0, 'a', 1, 0.9), made(0, 'b', 1, 0.4), made(0, 'a', 2, null), made(0, 'b', 2, null),
      made(1, 'a', 1, null), made(1, 'b', 1, null), made(1, 'a', 2, null), made(1, 'b', 2, 1.5),
    ]; // prettier-ignore
    const fold = worstCase(rows);
    expect(fold.map(({ sample, epsilon, verdict }) => [sample, epsilon, verdict])).toEqual([
      [0, 1, 'broken'],
      [1, 1, 'held'],
      [0, 2, 'broken'],
      [1, 2, 'broken'],
    ]);
    expect(fold[0]).toMatchObject({
      attack: WORST_CASE,
      distance: { linf: 0.4 },
      queries: 4,
      gradients: 2,
      seconds: 1,
    });
    expect(fold[2]!.distance!.linf).toBe(0.4);
  });

  it('counts a point at every epsilon that it lies within, whichever it was found at', () => {
    const rows = [made(0, 'a', 1, null), made(0, 'a', 2, 0.7)];
    expect(worstCase(rows).map(({ verdict }) => verdict)).toEqual(['broken', 'broken']);
    const nearest = {
      ...made(1, 'a', 1, null),
      finds: 'smallest',
      distance: { l0: 1, l1: 3, l2: 3, linf: 3 },
    } as const;
    expect(worstCase([made(1, 'b', 1, null), nearest])).toMatchObject([
      { verdict: 'held', distance: { linf: 3 } },
    ]);
  });

  it('keeps misclassified samples as they are', () => {
    const row: Row = { ...made(0, 'a', 1, null), clean: 3, verdict: 'misclassified' };
    expect(worstCase([row, { ...row, attack: 'b' }])).toMatchObject([{ verdict: 'misclassified', clean: 3 }]);
  });
});
