import { like, row, type Tensor } from '@gauntlet/tensor';
import { curvedToy, datasetOf, linearToy } from '@gauntlet/testing';
import {
  apply,
  assemble,
  type Assembled,
  defineAttack,
  describeThreat,
  describeWay,
  type Of,
  type Plan,
  type PlannedDefence,
  type Row,
  type Schema,
} from './index.js';

const options: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

/** Five steps along the gradient of the own class's score, downwards. */
const descend = defineAttack({
  ...{ id: 'attack/descend', summary: 'For tests.', cites: [], access: 'gradients', norms: ['linf'] },
  finds: 'within-budget',
  options,
  async run({ model, x, ball, goal }) {
    const own = { op: 'pick', class: 'own' } as const;
    const loss = { term: { op: 'neg', of: own } as const, classes: { own: goal.classes }, given: {} };
    let at = x;
    for (let i = 0; i < 5; i++) at = ball.step(at, (await model.gradient(at, loss)).gradient, 0.4);
    return at;
  },
});
const smallest = { ...descend, id: 'attack/smallest', finds: 'smallest' } as const;

const toy = curvedToy();
const flipped = {
  ...toy.model,
  name: 'flipped',
  gradient: async (...args: Parameters<typeof toy.model.gradient>) => {
    const found = await toy.model.gradient(...args);
    return {
      ...found,
      gradient: like(
        found.gradient,
        found.gradient.data.map((value) => -value),
      ),
    };
  },
};

const plan: Plan = {
  model: { name: 'toy', sha256: '' },
  data: { name: 'toy.npz', fingerprint: '', samples: toy.y.length },
  threatModel: {
    goal: { kind: 'untargeted' },
    confidence: 0,
    access: 'gradients',
    norm: 'linf',
    epsilons: [0.2],
    box: [0, 1],
    queries: null,
  },
  attacks: [{ use: 'attack/descend', options: {} }],
  restarts: 2,
  batchSize: 64,
  seed: 0,
};
const parts = {
  model: toy.model,
  dataset: datasetOf(toy),
  surrogates: { 'same.onnx': toy.model, 'flipped.onnx': flipped, undefended: toy.model, static: toy.model },
  attack: (id: string) => [descend, smallest].find((attack) => attack.id === id),
};
const on = (surrogate: string, use = 'attack/descend') => ({ use, options: {}, on: surrogate });

async function rowsOf(assembled: Assembled): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const shard of apply(assembled, { signal: new AbortController().signal, now: () => 0 }))
    rows.push(...shard.rows);
  return rows;
}

it('tries what is crafted on surrogates on the model, and counts what each was asked', async () => {
  const attacks = [on('same.onnx'), on('flipped.onnx')];
  const rows = await rowsOf(await assemble({ ...plan, attacks }, parts));
  const of = (surrogate: string) => rows.filter((row) => row.surrogate === surrogate);
  const broken = (some: Row[]) => some.filter(({ verdict }) => verdict === 'broken').length;
  expect(broken(of('same.onnx'))).toBeGreaterThan(20);
  expect(broken(of('flipped.onnx'))).toBe(0);
  for (const row of of('same.onnx')) {
    const runs = row.queries;
    expect(runs).toBe(row.verdict === 'broken' ? runs : 2);
    expect(row).toMatchObject({ gradients: 0, crafting: { queries: 5 * runs, gradients: 5 * runs } });
  }
});

it('tries what is found without the defences, and no more than that, in a static evaluation', async () => {
  // It answers as the toy does, but for what lies just beyond the boundary.
  const shy = {
    ...toy.model,
    name: 'shy',
    scores: async (points: Tensor, { of = [...toy.y.keys()] }: Of = {}) => {
      const scores = await toy.model.scores(points);
      of.forEach((sample, i) => (row(scores, i)[toy.y[sample]!]! += 0.5));
      return scores;
    },
  };
  const attacks = [on('static'), on('undefended')];
  const found = await rowsOf(await assemble({ ...plan, restarts: 1, attacks }, { ...parts, model: shy }));
  const of = (surrogate: string) => found.filter((one) => one.surrogate === surrogate);
  const broken = (some: Row[]) => some.filter(({ verdict }) => verdict === 'broken').length;
  expect(broken(of('static'))).toBeLessThan(broken(of('undefended')));
  for (const { queries, crafting } of of('static')) {
    expect(queries).toBe(1);
    expect(crafting!.queries).toBeLessThanOrEqual(5);
  }
  expect(of('static').some(({ crafting }) => crafting!.queries < 5)).toBe(true);
});

it.each<[string, Partial<Plan>, string]>([
  [
    'a surrogate that does not take part',
    { attacks: [on('gone.onnx')] },
    "Unexpected surrogate 'gone.onnx' at attack/descend, expected one that takes part (same.onnx, flipped.onnx, undefended, static).",
  ],
  [
    'the smallest perturbation of a surrogate',
    { attacks: [on('same.onnx', 'attack/smallest')] },
    'Unexpected attack that finds the smallest perturbation at attack/smallest on same.onnx',
  ],
  [
    'the model without its defences, above the ceiling',
    { attacks: [on('undefended')], threatModel: { ...plan.threatModel, access: 'scores' } },
    'expected at most scores, as the threat model says.',
  ],
  [
    'a defended model that is judged by others alone',
    {
      defences: [{ use: 'defence/a', kind: 'preprocessor', options: {}, backward: 'none' }],
      attacks: [on('undefended'), on('same.onnx')],
    },
    'Unexpected nothing but attacks that are crafted on other models at the plan, expected one beside them that is aimed at the defended model.',
  ],
])('refuses %s', async (_, more, message) => {
  await expect(assemble({ ...plan, ...more }, parts)).rejects.toThrow(message);
});

it('needs no access to the model for attacks on others', async () => {
  const threatModel = { ...plan.threatModel, access: 'none', surrogates: ['same.onnx'] } as const;
  const { steps } = await assemble({ ...plan, threatModel, attacks: [on('same.onnx')] }, parts);
  expect(steps).toMatchObject([{ on: 'same.onnx' }]);
  expect(describeThreat(threatModel)).toBe(
    'The attacker cannot ask the model, has same.onnx to craft on, wants any wrong class, and may change each input by at most 0.2 in the linf norm, within [0, 1].',
  );
});

it('refuses surrogates of other inputs', async () => {
  const surrogates = { 'other.onnx': linearToy().model };
  await expect(assemble(plan, { ...parts, surrogates })).rejects.toThrow(
    'Unexpected model of [20] in [0,1], 2 classes at other.onnx, expected [16] in [0,1], 4 classes, as curved toy.',
  );
});

describe('the way of an attack, in words', () => {
  const defence = (use: string, more: Partial<PlannedDefence>): PlannedDefence => ({
    ...{ use, kind: 'preprocessor', options: {}, backward: 'none', ...more },
  });
  const a = defence('defence/a', { backward: 'identity' });
  const b = defence('defence/b', { backward: 'exact', random: true });
  const c = defence('defence/c', {});
  const d = defence('detector/d', { kind: 'detector' });
  const e = defence('defence/e', { kind: 'wrapper', backward: 'exact', random: true });
  it.each([
    ['gradients', undefined, [], null],
    ['gradients', 'x.onnx', [], 'crafted on x.onnx, tried on the model'],
    [
      'gradients',
      undefined,
      [a, b, d],
      'adaptive: by gradients through defence/a (BPDA: as if it were the identity), defence/b (its exact gradient, the mean of 20 draws), detector/d (attacks do not aim at it, and must get past it)',
    ],
    [
      'gradients',
      undefined,
      [e],
      'adaptive: by gradients through defence/e (its exact gradient, over its own draws)',
    ],
    ['labels', undefined, [c], 'adaptive: by the labels of the defended model, without gradients'],
    [
      'gradients',
      'static',
      [c],
      'static: found on the model without its defences, tried on the defended model',
    ],
    [
      'gradients',
      'undefended',
      [c],
      'crafted on the model without its defences, tried on the defended model',
    ],
    [
      'gradients',
      'open',
      [a, c],
      'crafted on the model behind defence/a (BPDA: as if it were the identity), without defence/c, tried on the defended model',
    ],
  ] as const)('%s on %p', (access, surrogate, defences, words) => {
    expect(describeWay({ access, on: surrogate }, defences)).toBe(words);
  });
});
