import { curvedToy, type Toy } from '@gauntlet/testing';
import { like, row, rows, take, type Tensor, tensor } from '@gauntlet/tensor';
import {
  type Backward,
  defend,
  defineAttack,
  defineDetector,
  definePreprocessor,
  defineWrapper,
  evade,
  type EvasionTask,
  type GradientModel,
  type Layer,
  type Loss,
  type Model,
  type Preprocessor,
  type Schema,
} from './index.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const facts = { id: 'defence/test', summary: 'For tests.', cites: [], options: anything } as const;
const map = (x: Tensor, f: (value: number, i: number) => number) => like(x, x.data.map(f));

const layer = (more: Partial<Preprocessor>): Layer => ({
  defence: { ...definePreprocessor({ ...facts, backward: 'none', run: async ({ x }) => x }), ...more },
  options: {},
});
const through = (backward: Backward) => layer({ backward, pullback: async ({ gradient }) => gradient });

/** x -> x * x, by its derivative. */
const square = layer({
  backward: 'exact',
  run: async ({ x }) => map(x, (value) => value * value),
  pullback: async ({ x, gradient }) => map(gradient, (value, i) => 2 * x.data[i]! * value),
});
const halve = layer({ backward: 'identity', run: async ({ x }) => map(x, (value) => value / 2) });
/** Adds up to 0.2 of noise to each point. */
const noisy = layer({
  backward: 'identity',
  random: true,
  run: async ({ x, random }) => {
    const by = random.map((own) => 0.2 * own.uniform());
    return map(x, (value, i) => Math.min(1, value + by[Math.floor((i * rows(x)) / x.data.length)]!));
  },
});

const toy = curvedToy();
const first: Loss = { term: { op: 'pick', class: 'own' }, classes: { own: toy.y }, given: {} };
const asGradients = (model: Model<'none'>) => model as GradientModel;

describe('a stack of defences', () => {
  it.each([
    ['gradients', 'exact', 'gradients'],
    ['gradients', 'identity', 'gradients'],
    ['gradients', 'substitute', 'gradients'],
    ['gradients', 'none', 'scores'],
    ['scores', 'identity', 'scores'],
    ['labels', 'none', 'labels'],
  ] as const)('over a model that offers %s, with %s, offers %s', (has, backward, offers) => {
    const model = { ...toy.model, access: has };
    expect(defend([model], [through('exact'), through(backward)]).access).toBe(offers);
  });

  it('offers no gradients of a wrapper that lets none through, whatever its model offers', () => {
    const wrap = (backward: 'exact' | 'none') =>
      defineWrapper({ ...facts, backward, models: 'one', wrap: ({ models }) => models[0] });
    const access = (backward: 'exact' | 'none') =>
      defend([toy.model], [{ defence: wrap(backward), options: {} }]).access;
    expect([access('exact'), access('none')]).toEqual(['gradients', 'scores']);
  });

  it('lets the first see inputs first', async () => {
    const x = take(toy.x, [3]);
    const { scores } = asGradients(defend([toy.model], [halve, square]));
    expect(await scores(x)).toEqual(await toy.model.scores(map(x, (value) => Math.fround(value / 2) ** 2)));
  });

  it('pulls gradients back by the derivative of each, as differences say', async () => {
    const model = asGradients(defend([toy.model], [square, square]));
    const { gradient } = await model.gradient(toy.x, first);
    const step = 1e-2;
    const at = async (by: number) => {
      const moved = map(toy.x, (value, i) => value + (i % 16 === 5 ? by : 0));
      return (await model.gradient(moved, first)).loss;
    };
    const [up, down] = [await at(step), await at(-step)];
    up.forEach((value, i) => expect(row(gradient, i)[5]).toBeCloseTo((value - down[i]!) / (2 * step), 2));
  });

  it('takes the gradient where the defence puts the point, and hands it on as it is', async () => {
    const { gradient } = await asGradients(defend([toy.model], [halve])).gradient(toy.x, first);
    const inner = await toy.model.gradient(
      map(toy.x, (value) => value / 2),
      first,
    );
    expect(gradient).toEqual(inner.gradient);
  });

  it('is random where a part of it is', () => {
    expect(defend([toy.model], [square]).draw).toBeUndefined();
    expect(defend([toy.model], [square, noisy]).draw).toBeDefined();
  });

  it('draws noise that belongs to keys, sample and call, whatever the batch', async () => {
    const model = defend([toy.model], [noisy]);
    const drawn = (key: string, ids: readonly number[]) => asGradients(model.draw!({ keys: [key], ids }));
    const ids = [...toy.y.keys()];
    const whole = drawn('a', ids);
    const [one, two] = [await whole.scores(toy.x), await whole.scores(toy.x)];
    expect(two).not.toEqual(one);
    expect(await drawn('b', ids).scores(toy.x)).not.toEqual(one);
    const part = drawn('a', [7, 2]);
    expect(await part.scores(take(toy.x, [7, 2]))).toEqual(take(one, [7, 2]));
    expect(await part.scores(take(toy.x, [2]), { of: [1] })).toEqual(take(two, [2]));
  });

  it('averages gradients over the draws of a random preprocessor', async () => {
    const model = defend([toy.model], [noisy]);
    const spread = async (of: (key: number) => Promise<Tensor>) => {
      const [a, b] = [await of(1), await of(2)];
      return a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0);
    };
    const ids = [...toy.y.keys()];
    const averaged = await spread(
      async (key) => (await asGradients(model.draw!({ keys: [key], ids })).gradient(toy.x, first)).gradient,
    );
    const single = await spread(async (key) => {
      const x = map(toy.x, (value) => value + 0.2 * ((key * 0.37 + value * 977) % 1));
      return (await toy.model.gradient(x, first)).gradient;
    });
    expect(averaged).toBeLessThan(single / 4);
  });

  const detector = defineDetector({
    ...facts,
    id: 'detector/test',
    access: 'scores',
    backward: 'none',
    suspicion: async ({ x }) => Float32Array.from({ length: rows(x) }, (_, i) => row(x, i)[0]!),
  });
  const guard = (threshold: number): Layer => ({ defence: detector, options: {}, threshold });

  it('accepts points that no detector suspects, as they arrive there', async () => {
    const x = tensor(
      Float32Array.of(...new Float32Array(16).fill(0.8), ...new Float32Array(16).fill(0.2)),
      [2, 16],
    );
    expect(await defend([toy.model], [guard(0.5)]).accepts!(x)).toEqual([false, true]);
    expect(await defend([toy.model], [halve, guard(0.5)]).accepts!(x)).toEqual([true, true]);
    expect(await defend([toy.model], [guard(0.9), guard(0.1)]).accepts!(x)).toEqual([false, false]);
  });

  const several = defineWrapper({
    ...facts,
    id: 'defence/several',
    backward: 'exact',
    models: 'several',
    wrap: ({ models }) => models[0],
  });
  const wrapper: Layer = { defence: several, options: {} };

  it.each<[RegExp, () => unknown]>([
    [/^Unexpected 2 models at the stack, expected one\./, () => defend([toy.model, toy.model], [square])],
    [/^Unexpected one model at defence\/several, expected several\./, () => defend([toy.model], [wrapper])],
    [
      /^Unexpected defence\/several before other defences at the stack/,
      () => defend([toy.model, toy.model], [wrapper, square]),
    ],
    [
      /^Unexpected detector behind a wrapper at detector\/test, expected one before it\./,
      () => defend([toy.model], [{ defence: { ...several, models: 'one' }, options: {} }, guard(1)]),
    ],
    [
      /^Unexpected model that offers labels at detector\/test, expected scores\./,
      () => defend([{ ...toy.model, access: 'labels' }], [guard(1)]),
    ],
    [
      /^Unexpected model of \[16\] in \[0,1\], 3 classes at curved toy/,
      () => defend([toy.model, { ...toy.model, classes: 3 }], [wrapper]),
    ],
  ])('refuses what does not fit: %s', (message, make) => {
    expect(make).toThrow(message);
  });

  const climb = defineAttack({
    id: 'attack/test',
    summary: 'For tests.',
    cites: [],
    access: 'gradients',
    norms: ['linf'],
    finds: 'within-budget',
    options: anything,
    run: async ({ model, x, ball, goal }) => {
      const loss: Loss = {
        term: { op: 'neg', of: { op: 'pick', class: 'own' } },
        classes: { own: goal.classes },
        given: {},
      };
      let at = x;
      for (let i = 0; i < 20; i++) at = ball.step(at, (await model.gradient(at, loss)).gradient, 0.1);
      return at;
    },
  });
  const task = (model: Toy['model'] | Model<'none'>, more: Partial<EvasionTask> = {}): EvasionTask => ({
    attack: climb,
    options: {},
    model: model as GradientModel,
    x: toy.x,
    ids: [...toy.y.keys()],
    goal: { kind: 'untargeted', classes: toy.y, confidence: 0 },
    clean: toy.y,
    norm: 'linf',
    epsilon: 0.2,
    box: toy.box,
    restarts: 1,
    seed: 0,
    signal: new AbortController().signal,
    ...more,
  });
  const broken = (reached: Uint8Array) => reached.reduce((sum, hit) => sum + hit, 0);

  describe('under attack', () => {
    it('counts as hits what most of fresh draws agree on, and says how many', async () => {
      const { reached, points, votes } = await evade(task(defend([toy.model], [noisy])));
      expect(broken(reached)).toBeGreaterThan(5);
      for (let i = 0; i < rows(toy.x); i++) {
        if (!reached[i]) continue;
        expect(votes.reached[i]).toBeGreaterThan(10);
        expect(votes.draws[i]! % 20).toBe(0);
        // Draws that nobody has seen agree.
        const judge = asGradients(defend([toy.model], [noisy]).draw!({ keys: ['others'], ids: [i] }));
        const many = { of: new Array<number>(100).fill(0) };
        const labels = await judge.labels(take(points, new Array<number>(100).fill(i)), many);
        expect(labels.filter((label) => label !== toy.y[i]).length).toBeGreaterThan(30);
      }
    });

    it('is not broken by luck: another answer one time in four does not count', async () => {
      let calls = 0;
      const labels = async (points: Tensor) =>
        Int32Array.from({ length: rows(points) }, () => (toy.y[0]! + Number(calls++ % 4 === 0)) % 4);
      const lucky: Model<'labels'> = { ...toy.model, access: 'labels', labels, draw: () => lucky };
      const ask = defineAttack({
        ...climb,
        access: 'labels',
        run: async ({ model, x }) => (await model.labels(x), await model.labels(x), x),
      });
      const own = toy.y.slice(0, 1);
      const { reached, votes } = await evade(
        task(lucky, {
          attack: ask,
          x: take(toy.x, [0]),
          ids: [0],
          clean: own,
          goal: { kind: 'untargeted', classes: own, confidence: 0 },
        }),
      );
      expect(broken(reached)).toBe(0);
      expect(votes.draws[0]).toBeGreaterThan(0);
    });

    it('holds where a detector turns every hit away', async () => {
      const found = async (threshold: number) =>
        broken((await evade(task(defend([toy.model], [guard(threshold)])))).reached);
      const plain = broken((await evade(task(toy.model))).reached);
      expect(await found(1)).toBe(plain);
      expect(await found(-1)).toBe(0);
    });

    it('is asked about the last points of a surrogate once, and the surrogate is not counted', async () => {
      const { reached, queries, gradients } = await evade(
        task(defend([toy.model], [halve]), { surrogate: toy.model }),
      );
      expect(queries.every((count) => count === 1)).toBe(true);
      expect(gradients.every((count) => count === 0)).toBe(true);
      expect(broken(reached)).toBeLessThan(rows(toy.x));
    });

    it('shows attacks neither its noise nor its detector', async () => {
      const seen: string[] = [];
      const look = {
        ...climb,
        run: async ({ model, x }: { model: object; x: Tensor }) => (seen.push(...Object.keys(model)), x),
      };
      await evade(task(defend([toy.model], [noisy, guard(0.5)]), { attack: look as never }));
      expect(seen).toContain('scores');
      expect(seen).not.toContain('draw');
      expect(seen).not.toContain('accepts');
    });
  });
});
