import fgsm from '@gauntlet/attack-fgsm';
import hopSkipJump from '@gauntlet/attack-hop-skip-jump';
import pgd from '@gauntlet/attack-pgd';
import uap from '@gauntlet/attack-uap';
import { type Attack, defineAttack, type Plan, type Step } from '@gauntlet/core';
import { z } from 'zod';
import { estimate, fit, fitAll, withExtent } from './estimate.js';

const plan = (
  epsilons: readonly number[],
  more: Partial<Plan> = {},
  queries: number | null = null,
): Plan => ({
  model: { name: 'm', sha256: '' },
  data: { name: 'd', fingerprint: '', samples: 100 },
  threatModel: {
    goal: { kind: 'untargeted' },
    confidence: 0,
    access: 'gradients',
    norm: 'l2',
    epsilons,
    box: [0, 1],
    queries,
  },
  attacks: [],
  ...{ restarts: 1, batchSize: 10, seed: 0 },
  ...more,
});
const step = (attack: Attack, options: object = {}): Step => {
  const { value } = attack.options['~standard'].validate(options) as { value: Step['options'] };
  return { attack, options: value };
};

const unknown = defineAttack({
  ...{
    id: 'attack/unknown',
    summary: 'For tests.',
    cites: [],
    access: 'labels',
    norms: ['l2'],
    finds: 'within-budget',
  },
  options: z.strictObject({}),
  run: async ({ x }) => x,
});

describe('estimate', () => {
  it.each<[string, Plan, Step, object]>([
    [
      'a gradient and the check',
      plan([1]),
      step(fgsm),
      { runs: 1, gradients: 100, queries: 200, seconds: 100 },
    ],
    [
      'a universal attack, fitted for each radius on other samples, without restarts',
      plan([0, 1, 2], { fit: { name: 'd', fingerprint: '', samples: 10 }, restarts: 3 }),
      step(uap, { epochs: 7 }),
      { runs: 2, gradients: 140, queries: 340, seconds: 170 },
    ],
    [
      'one that draws how it is applied, as often as queries allow',
      plan([1], { fit: { name: 'd', fingerprint: '', samples: 10 } }, 3),
      { ...step(uap), attack: { ...uap, random: true } },
      { runs: 1, gradients: 200, queries: 500 },
    ],
    [
      'every radius, and not that of zero',
      plan([0, 1, 2]),
      step(fgsm),
      { runs: 2, gradients: 200, queries: 400 },
    ],
    [
      'every step and restart',
      plan([1], { restarts: 3 }),
      step(pgd, { steps: 40 }),
      { runs: 3, gradients: 12_000, queries: 12_300 },
    ],
    [
      'one run for all radii',
      plan([1, 2]),
      step(hopSkipJump, { steps: 1 }),
      { runs: 1, gradients: 0, queries: 100 * (22 + 100 + 30 + 22 + 1) },
    ],
    [
      'no more than the budget of queries',
      plan([1], { restarts: 3 }, 50),
      step(pgd, { steps: 40 }),
      { gradients: 5000, queries: 5000 },
    ],
    ['what nobody says', plan([1]), step(unknown), { gradients: 0, queries: null, seconds: null }],
    ['the budget of what nobody says', plan([1], {}, 50), step(unknown), { queries: 5000, seconds: 2500 }],
  ])('counts %s', (_, own, one, expected) => {
    expect(estimate({ plan: own, steps: [one] }, [0.5])).toEqual([expect.objectContaining(expected)]);
  });
});

describe('fit', () => {
  /** A tenth of a second for each sample and restart. */
  const seconds = ({ samples, restarts }: { samples: number; restarts: number }) => (samples * restarts) / 10;

  it.each([
    ['all', 500, { samples: 1000, restarts: 5 }],
    ['fewer samples first', 250, { samples: 500, restarts: 5 }],
    ['100 samples', 50, { samples: 100, restarts: 5 }],
    ['then fewer restarts', 49, { samples: 122, restarts: 4 }],
    ['no restarts', 10, { samples: 100, restarts: 1 }],
  ])('takes %s', (_, budget, expected) => {
    const found = fit(seconds, { samples: 1000, restarts: 5 }, budget);
    expect(found).toEqual(expected);
    expect(seconds(found)).toBeLessThanOrEqual(budget);
  });

  it('takes fewer than 100 where there are no more, and refuses what does not fit', () => {
    expect(fit(seconds, { samples: 40, restarts: 2 }, 5)).toEqual({ samples: 40, restarts: 1 });
    expect(() => fit(seconds, { samples: 1000, restarts: 2 }, 9)).toThrow(
      /9 s at --budget, expected at least 10 s, for 100 samples/,
    );
  });

  it('adds plans up, and leaves options of attacks alone', () => {
    const steps = [step(pgd, { steps: 40 })];
    const one = { assembled: { plan: plan([1], { restarts: 4 }), steps } as never, paces: [0.01] };
    // 100 samples of two plans, 41 queries of a hundredth of a second
    expect(fitAll([one], 83)).toEqual({ samples: 100, restarts: 2 });
    expect(fitAll([one, one], 83)).toEqual({ samples: 100, restarts: 1 });
    const cut = withExtent({ plan: plan([1], { restarts: 4 }), steps }, { samples: 50, restarts: 1 });
    expect(cut.steps).toBe(steps);
    expect([cut.plan.data.samples, cut.plan.restarts]).toEqual([50, 1]);
  });

  it('refuses an attack whose cost is unknown', () => {
    const assembled = { plan: plan([1]), steps: [step(unknown)] } as never;
    expect(() => fitAll([{ assembled, paces: [1] }], 60)).toThrow(
      /attack\/unknown, which does not say what it costs/,
    );
  });
});
