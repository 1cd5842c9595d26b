import { curvedToy, datasetOf, linearToy, type Toy } from '@gauntlet/testing';
import {
  apply,
  assemble,
  checkSamples,
  type Dataset,
  defineAttack,
  type Plan,
  type Row,
  type Schema,
  type Shard,
  shardCount,
  type ThreatModel,
} from './index.js';

const steps: Schema<{ steps?: number }, { steps: number }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const { steps = 5 } = value as { steps?: number };
      return steps > 0
        ? { value: { steps } }
        : { issues: [{ message: 'expected at least 1', path: ['steps'] }] };
    },
  },
};

const climb = defineAttack({
  id: 'attack/climb',
  summary: 'For tests.',
  cites: [],
  access: 'gradients',
  norms: ['linf', 'l2'],
  finds: 'within-budget',
  options: steps,
  async run({ model, x, goal, ball, options }) {
    const sign = goal.kind === 'targeted' ? 1 : -1;
    let at = x;
    for (let i = 0; i < options.steps; i++) {
      const loss = {
        term: {
          op: 'mul',
          of: [
            { op: 'constant', value: sign },
            { op: 'pick', class: 'goal' },
          ],
        },
        classes: { goal: goal.classes },
        given: {},
      } as const;
      at = ball.step(at, (await model.gradient(at, loss)).gradient, 1 / options.steps);
    }
    return at;
  },
});

/** Walks along the gradient's sign and looks at every step. */
const walk = defineAttack({
  ...{ id: 'attack/walk', summary: 'For tests.', cites: [], access: 'gradients', norms: ['linf'] },
  finds: 'smallest',
  options: steps,
  async run({ model, x, goal, ball, options }) {
    const loss = { term: { op: 'pick', class: 'goal' }, classes: { goal: goal.classes }, given: {} } as const;
    const { gradient } = await model.gradient(x, loss);
    const at = (far: number) =>
      ball.project({ ...x, data: x.data.map((v, i) => v - far * Math.sign(gradient.data[i]!)) });
    for (let i = 1; i <= options.steps; i++) await model.scores(at((0.3 * i) / options.steps));
    return x;
  },
});

const threat: ThreatModel = {
  goal: { kind: 'untargeted' },
  confidence: 0,
  access: 'gradients',
  norm: 'linf',
  epsilons: [0.01, 0.05],
  box: [0, 1],
  queries: null,
};

const planFor = (dataset: Dataset, more: Partial<Plan> = {}): Plan => ({
  model: { name: 'toy', sha256: '' },
  data: { name: dataset.name, fingerprint: dataset.fingerprint, samples: dataset.samples },
  threatModel: threat,
  attacks: [{ use: 'attack/climb', options: {} }],
  restarts: 1,
  batchSize: 16,
  seed: 0,
  ...more,
});

const assembled = (toy: Toy, more: Partial<Plan> = {}, dataset = datasetOf(toy)) =>
  assemble(planFor(dataset, more), {
    model: toy.model,
    dataset,
    attack: (id) => [climb, walk].find((attack) => attack.id === id),
  });

const io = { signal: new AbortController().signal, now: () => 0 };

async function run(toy: Toy, more: Partial<Plan> = {}, done?: (key: string) => boolean): Promise<Shard[]> {
  const shards: Shard[] = [];
  for await (const shard of apply(await assembled(toy, more), { ...io, ...(done && { done }) }))
    shards.push(shard);
  return shards;
}

const rowsOf = (shards: Shard[]): Row[] => shards.flatMap((shard) => shard.rows);
const timeless = (rows: Row[]) => rows.map((row) => ({ ...row, seconds: 0 }));

describe('assemble', () => {
  it('names every problem at once', async () => {
    const toy = linearToy();
    const attacks = [
      { use: 'attack/gone', options: {} },
      { use: 'attack/climb', options: { steps: 0 } },
    ];
    await expect(assembled(toy, { attacks, threatModel: { ...threat, epsilons: [-1] } })).rejects.toThrow(
      /Unexpected -1 at epsilon.*\n.*attack 'attack\/gone'.*\n.*options at attack\/climb.*steps: expected at least 1/,
    );
  });

  it.each<[string, Partial<Plan>, string]>([
    [
      'a norm that the attack lacks',
      { threatModel: { ...threat, norm: 'l1' } },
      'Unexpected norm l1 at attack/climb, expected linf or l2.',
    ],
    [
      'access above the ceiling',
      { threatModel: { ...threat, access: 'labels' } },
      'expected at most labels, as the threat model says.',
    ],
    [
      'a class that is none',
      { threatModel: { ...threat, goal: { kind: 'targeted', target: 2 } } },
      'Unexpected class 2 at --targeted, expected a class from 0 to 1.',
    ],
    ['no epsilon', { threatModel: { ...threat, epsilons: [] } }, 'Unexpected no number at epsilon'],
  ])('refuses %s', async (_, more, message) => {
    await expect(assembled(linearToy(), more)).rejects.toThrow(message);
  });

  it('refuses a model that offers less than the attack needs', async () => {
    const toy = linearToy();
    const model = { ...toy.model, access: 'scores' as const };
    await expect(assembled({ ...toy, model })).rejects.toThrow(
      'Unexpected model that offers scores at linear toy',
    );
  });

  it('lets an attack read trees where there are some, and the attacker knows the model', async () => {
    const toy = linearToy();
    const reading = { ...climb, access: 'none', reads: 'trees' } as const;
    const leaf = { base: [0, 0], trees: [{ scores: [1, 0] }] };
    const dataset = datasetOf(toy);
    const through = (model: Toy['model'], threatModel = threat) =>
      assemble(planFor(dataset, { threatModel }), { model, dataset, attack: () => reading });
    await expect(through({ ...toy.model, trees: leaf })).resolves.toBeDefined();
    await expect(through(toy.model)).rejects.toThrow(
      'Unexpected model without trees at linear toy, expected trees, which attack/climb needs.',
    );
    await expect(through({ ...toy.model, trees: leaf }, { ...threat, access: 'scores' })).rejects.toThrow(
      "Unexpected attack that reads the model's trees at attack/climb, expected at most scores",
    );
  });

  it('refuses the least likely class where there are no scores', async () => {
    const toy = linearToy();
    const model = { ...toy.model, access: 'labels' as const };
    const threatModel = { ...threat, goal: { kind: 'targeted', target: 'least-likely' } as const };
    await expect(assembled({ ...toy, model }, { threatModel })).rejects.toThrow(
      'scores, by which the least likely class is known',
    );
  });

  it('refuses data of another shape', async () => {
    const toy = linearToy();
    const dataset = { ...datasetOf(toy), shape: [4, 5] };
    await expect(assembled(toy, {}, dataset)).rejects.toThrow(
      'Unexpected samples of shape [4,5] at toy.npz, expected [20], as linear toy takes.',
    );
  });
});

describe('checkSamples', () => {
  const toy = linearToy({ samples: 20 });
  const changed = (at: number, value: number) => ({ ...toy.x, data: toy.x.data.with(at, value) });
  it.each([
    [
      'a NaN',
      datasetOf({ ...toy, x: changed(345, NaN) }),
      'Unexpected NaN at sample 17 of toy.npz, expected numbers from 0 to 1.',
    ],
    [
      'a value outside',
      datasetOf({ ...toy, x: changed(0, 17) }),
      'Unexpected value 17 at sample 0 of toy.npz, expected numbers from 0 to 1. Say what values inputs may take with --bounds LO,HI.',
    ],
    [
      'a label that is none',
      datasetOf({ ...toy, y: toy.y.with(19, 2) }),
      'Unexpected label 2 at sample 19 of toy.npz, expected a class from 0 to 1',
    ],
  ])('refuses %s', async (_, dataset, message) => {
    await expect(assembled(toy, {}, dataset).then(checkSamples)).rejects.toThrow(message);
  });

  it('passes good samples', async () => {
    await expect(assembled(toy).then(checkSamples)).resolves.toBeUndefined();
  });
});

describe('apply', () => {
  it('runs an attack that finds the smallest once, and derives the rows of every epsilon from what it found', async () => {
    const toy = linearToy();
    const attacks = [{ use: 'attack/walk', options: { steps: 60 } }];
    const more = { attacks, threatModel: { ...threat, epsilons: [0.02, 0.05, 0.3] } };
    const shards = await run(toy, more);
    expect(shards).toHaveLength(4);
    expect(shards).toHaveLength(shardCount(await assembled(toy, more)));
    const rows = rowsOf(shards);
    expect(rows).toHaveLength(180);
    for (const sample of toy.y.keys()) {
      const own = rows.filter((row) => row.sample === sample);
      const far = own[0]!.distance!.linf;
      expect(own.map((row) => row.distance!.linf)).toEqual([far, far, far]);
      expect(own.map((row) => row.verdict === 'broken')).toEqual([
        far <= 0.02 + 2e-7,
        far <= 0.05 + 2e-7,
        true,
      ]);
      expect(own.map((row) => row.queries)).toEqual([62, 62, 62]);
    }
    const counts = [0.02, 0.05, 0.3].map(
      (epsilon) => rows.filter((row) => row.epsilon === epsilon && row.verdict === 'broken').length,
    );
    expect(counts[0]).toBeGreaterThan(0);
    expect(counts[1]).toBeGreaterThan(counts[0]!);
    for (const { rows: own, adversarial, x } of shards) {
      const labels = await toy.model.labels(adversarial);
      expect(own.map((row) => row.adversarial)).toEqual([...labels]);
      own.forEach((row, i) => {
        expect(
          String(x.data.slice(20 * i, 20 * i + 20)) === String(adversarial.data.slice(20 * i, 20 * i + 20)),
        ).toBe(row.verdict !== 'broken');
      });
    }
  });

  it('keeps to the queries that the threat model allows', async () => {
    const attacks = [
      { use: 'attack/walk', options: { steps: 60 } },
      { use: 'attack/climb', options: { steps: 60 } },
    ];
    const rows = rowsOf(await run(linearToy(), { attacks, threatModel: { ...threat, queries: 9 } }));
    expect(Math.max(...rows.map((row) => row.queries))).toBe(9);
  });

  it('gives one row per sample and epsilon, with the points that made them', async () => {
    const toy = linearToy();
    const shards = await run(toy);
    expect(shards).toHaveLength(shardCount(await assembled(toy)));
    const rows = rowsOf(shards);
    expect(rows).toHaveLength(120);
    expect(new Set(rows.map((row) => row.verdict))).toEqual(new Set(['broken', 'held']));
    for (const { rows: own, adversarial, x } of shards) {
      const labels = await toy.model.labels(adversarial);
      own.forEach((row, i) => {
        expect(row.adversarial).toBe(labels[i]);
        if (row.verdict === 'broken')
          expect(toy.distance(Number(row.sample), 'linf')).toBeLessThan(row.epsilon);
        expect(row.distance === null).toBe(row.verdict !== 'broken');
        if (row.distance) expect(row.distance.linf).toBeLessThanOrEqual(row.epsilon + 1e-7);
      });
      expect(adversarial.shape).toEqual(x.shape);
    }
  });

  it.each(['attack/climb', 'attack/walk'])('keeps the scores of what %s broke', async (use) => {
    const toy = linearToy();
    const short = (value: number) => Number(value.toPrecision(5));
    const pairs = async (points: Shard['x'], own: readonly Row[]) => {
      const scores = await toy.model.scores(points);
      return own.map(({ label, adversarial }, i) =>
        [label, adversarial].map((each) => short(scores.data[2 * i + each]!)),
      );
    };
    for (const shard of await run(toy, { attacks: [{ use, options: { steps: 60 } }] })) {
      const clean = await pairs(shard.x, shard.rows);
      const adversarial = await pairs(shard.adversarial, shard.rows);
      expect(shard.rows.map(({ scores }) => scores)).toEqual(
        shard.rows.map(({ verdict }, i) =>
          verdict === 'broken' ? { clean: clean[i], adversarial: adversarial[i] } : undefined,
        ),
      );
    }
  });

  it('does not attack what is misclassified', async () => {
    const toy = linearToy();
    const y = toy.y.map((label, i) => (i < 10 ? 1 - label : label));
    const rows = rowsOf(await run({ ...toy, y }));
    const wrong = rows.filter((row) => Number(row.sample) < 10);
    expect(new Set(wrong.map((row) => row.verdict))).toEqual(new Set(['misclassified']));
    expect(
      wrong.every((row) => row.queries === 0 && row.distance === null && row.adversarial !== row.label),
    ).toBe(true);
  });

  it.each(['next', 'random', 'least-likely', 2] as const)('targets %p', async (target) => {
    const toy = curvedToy();
    const threatModel = { ...threat, epsilons: [0.3], goal: { kind: 'targeted', target } as const };
    const rows = rowsOf(await run(toy, { threatModel }));
    const verdicts = rows.map((row) => row.verdict);
    expect(verdicts).toContain('broken');
    expect(verdicts.includes('exempt')).toBe(target === 2);
    for (const row of rows) {
      if (row.verdict === 'broken') expect(row.adversarial).toBe(row.target);
      expect(row.target === row.label).toBe(row.verdict === 'exempt');
      if (target === 'next') expect(row.target).toBe((row.label + 1) % 4);
    }
  });

  it('does not depend on the batch size, nor on what is run beside it', async () => {
    const toy = curvedToy();
    const small = rowsOf(await run(toy, { batchSize: 3 }));
    const large = rowsOf(await run(toy, { batchSize: 40 }));
    const ordered = (rows: Row[]) =>
      [...rows].sort((a, b) => a.epsilon - b.epsilon || Number(a.sample) - Number(b.sample));
    expect(ordered(small)).toEqual(ordered(large));
  });

  it('leaves out shards that are done', async () => {
    const toy = linearToy();
    const all = await run(toy);
    const half = new Set(all.slice(0, 5).map((shard) => shard.key));
    const rest = await run(toy, {}, (key) => half.has(key));
    expect(rest.map((shard) => shard.key)).toEqual(all.slice(5).map((shard) => shard.key));
    expect(timeless(rowsOf(rest))).toEqual(timeless(rowsOf(all.slice(5))));
  });

  it('stops between shards when told to', async () => {
    const stop = new AbortController();
    const finished: Shard[] = [];
    const running = (async () => {
      for await (const shard of apply(await assembled(linearToy()), { ...io, signal: stop.signal })) {
        finished.push(shard);
        stop.abort();
      }
    })();
    await expect(running).rejects.toThrow(/abort/);
    expect(finished).toHaveLength(1);
  });
});
