import { tensor } from '@gauntlet/tensor';
import { reachedByScores } from './index.js';

const { NaN: none, POSITIVE_INFINITY: inf } = Number;

describe('a goal is reached by scores', () => {
  it.each([
    ['untargeted', [1, 2, 0], 0, true],
    ['untargeted', [2, 1, 0], 0, false],
    ['untargeted', [1, 1 + 1e-7, 0], 0, false],
    ['untargeted', [1, 2, 0], 1.5, false],
    ['untargeted', [1, none, 0], 0, true],
    ['untargeted', [none, none, none], 5, true],
    ['targeted', [1, 0, 0], 0, true],
    ['targeted', [1, 2, 0], 0, false],
    ['targeted', [1, none, 0], 0, false],
    ['untargeted', [-inf, 0, -2], 0, true],
    ['untargeted', [0, -2, -inf], 0, false],
    ['untargeted', [1, inf, 0], 9, true],
    ['untargeted', [inf, inf, 0], 0, false],
    ['untargeted', [inf, none, 0], 0, true],
    ['targeted', [0, -2, -inf], 0, true],
    ['targeted', [-inf, 0, -2], 0, false],
  ] as const)('%s, from scores %j with confidence %d: %s', (kind, scores, confidence, expected) => {
    const goal = { kind, classes: Int32Array.of(7, 0), confidence };
    expect(reachedByScores(goal, tensor(Float32Array.from(scores), [1, 3]), [1])).toEqual([expected]);
  });
});
