import { z } from 'zod';
import { describeThreat, optionFacts, parseOptions } from './index.js';

const schema = z.strictObject({
  steps: z.int().min(1).default(40).describe('gradient steps'),
  mode: z.enum(['fast', 'slow']).default('fast').describe('how'),
});

describe('options', () => {
  it('fill in defaults', async () => {
    expect(await parseOptions(schema, { steps: 3 }, 'attack/x')).toEqual({ steps: 3, mode: 'fast' });
  });

  it('name each mistake', async () => {
    await expect(parseOptions(schema, { steps: 0, mode: 1, epz: 2 }, 'attack/x')).rejects.toThrow(
      'Unexpected options at attack/x, expected what its schema allows. Mend steps: expected a number of at least 1; ' +
        'mode: expected one of "fast" or "slow"; no such option: "epz".',
    );
    await expect(parseOptions(schema, { steps: 'many' }, 'attack/x')).rejects.toThrow(
      'Mend steps: expected a number, received string.',
    );
  });

  it('describe themselves', () => {
    expect(optionFacts(schema)).toEqual([
      { name: 'steps', type: 'integer', range: 'from 1', default: 40, description: 'gradient steps' },
      { name: 'mode', type: 'fast | slow', range: null, default: 'fast', description: 'how' },
    ]);
  });

  it.each([
    [z.number(), null],
    [z.int(), null],
    [z.int().min(0).max(8), 'from 0 up to 8'],
    [z.number().positive().max(2), 'above 0 up to 2'],
    [z.number().gt(-1).lt(1), 'above -1 below 1'],
  ])('say which numbers they may be', (option, range) => {
    expect(optionFacts(z.strictObject({ option }))[0]!.range).toBe(range);
  });
});

describe('a threat model', () => {
  it('is said in words', () => {
    expect(
      describeThreat({
        goal: { kind: 'targeted', target: 'next' },
        confidence: 0,
        access: 'gradients',
        norm: 'linf',
        epsilons: [2 / 255, 0.3],
        box: [0, 1],
        queries: null,
      }),
    ).toBe(
      'The attacker knows the model and its gradients, wants the class after the true one, and may change each input by at most ' +
        '2/255, 0.3 in the linf norm, within [0, 1].',
    );
  });
});
