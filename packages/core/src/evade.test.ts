import { curvedToy, linearToy, type Toy } from '@gauntlet/testing';
import { argmax, row, rows, take, tensor, type Tensor } from '@gauntlet/tensor';
import {
  ABSTAIN,
  defineAttack,
  type EvasionJob,
  evade,
  type EvasionTask,
  type Finds,
  type Goal,
  type Loss,
  lossAt,
  maximise,
  type Schema,
} from './index.js';

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };

const attack = (
  run: (job: EvasionJob<'gradients'>) => Promise<ReturnType<typeof tensor>>,
  access = 'gradients' as const,
  finds: Finds = 'within-budget',
) =>
  defineAttack({
    id: 'attack/test',
    summary: 'For tests.',
    cites: [],
    access,
    norms: ['linf', 'l2', 'l1'],
    finds,
    options: anything,
    run: run as never,
  });

const leave = (toy: Toy): Goal => ({ kind: 'untargeted', classes: toy.y, confidence: 0 });

const pickOwn = (goal: Goal): Loss => ({
  term: { op: 'neg', of: { op: 'pick', class: 'own' } },
  classes: { own: goal.classes },
  given: {},
});

const stepper = attack(async ({ model, x, ball, goal }) => {
  let at = x;
  for (let i = 0; i < 30; i++) at = ball.step(at, (await model.gradient(at, pickOwn(goal))).gradient, 0.1);
  return at;
});

const task = (toy: Toy, more: Partial<EvasionTask> = {}): EvasionTask => ({
  attack: stepper,
  options: {},
  model: toy.model,
  x: toy.x,
  ids: [...toy.y.keys()],
  goal: leave(toy),
  clean: toy.y,
  norm: 'linf',
  epsilon: 0.05,
  box: toy.box,
  restarts: 1,
  seed: 0,
  signal: new AbortController().signal,
  ...more,
});

/** The toy, with a record of how many points each native call got. */
function recorded(toy: Toy) {
  const calls: number[] = [];
  const model: Toy['model'] = {
    ...toy.model,
    scores: (points, of) => (calls.push(rows(points)), toy.model.scores(points, of)),
    gradient: (points, loss, of) => (calls.push(rows(points)), toy.model.gradient(points, loss, of)),
  };
  return { model, calls };
}

describe('evade', () => {
  it('reports points whose labels anybody finds again, inside ball and box', async () => {
    const toy = curvedToy();
    const { reached, points, labels } = await evade(task(toy));
    expect(reached).toContain(1);
    expect(reached).toContain(0);
    expect(await toy.model.labels(points)).toEqual(labels);
    for (let i = 0; i < reached.length; i++) {
      const far = row(points, i).reduce((top, v, j) => Math.max(top, Math.abs(v - row(toy.x, i)[j]!)), 0);
      expect(far).toBeLessThanOrEqual(0.05 + 1e-7);
      if (!reached[i]) expect(row(points, i)).toEqual(row(toy.x, i));
      expect(reached[i] === 1).toBe(labels[i] !== toy.y[i]);
    }
  });

  it('leaves finished samples out of native calls and stops when nobody is left', async () => {
    const toy = linearToy();
    const { model, calls } = recorded(toy);
    const { queries, gradients, reached } = await evade(task(toy, { model, epsilon: 2 }));
    expect([...reached]).toEqual(Array(60).fill(1));
    expect([...calls].sort((a, b) => b - a)).toEqual(calls);
    expect(calls.length).toBeLessThan(30);
    expect(queries.reduce((a, b) => a + b)).toBe(calls.reduce((a, b) => a + b));
    expect(gradients).toEqual(queries);
  });

  it('counts one query and one gradient a step, and one query for the check', async () => {
    const toy = linearToy({ samples: 3 });
    const { queries, gradients } = await evade(task(toy, { epsilon: 1e-6 }));
    expect([...queries]).toEqual([31, 31, 31]);
    expect([...gradients]).toEqual([30, 30, 30]);
  });

  it('asks nobody at epsilon 0, where the ball is the input', async () => {
    const toy = linearToy({ samples: 3 });
    const { queries, gradients, reached, points, labels } = await evade(
      task(toy, { epsilon: 0, restarts: 5 }),
    );
    expect([...queries, ...gradients, ...reached]).toEqual(Array(9).fill(0));
    expect(points.data).toEqual(toy.x.data);
    expect(labels).toEqual(toy.y);
  });

  it('gives finished samples their last answers and a zero gradient', async () => {
    const toy = linearToy();
    const seen: {
      loss: Float32Array;
      gradient: ReturnType<typeof tensor>;
      scores: ReturnType<typeof tensor>;
    }[] = [];
    const greedy = attack(async ({ model, x, ball, goal }) => {
      let at = x;
      for (let i = 0; i < 12; i++) {
        const answer = await model.gradient(at, pickOwn(goal));
        seen.push(answer);
        at = ball.step(at, answer.gradient, 0.2);
      }
      return at;
    });
    const { reached } = await evade(task(toy, { attack: greedy, epsilon: 0.03 }));
    const early = reached.indexOf(1);
    const [before, after] = [seen.at(-2)!, seen.at(-1)!];
    expect(row(after.gradient, early).every((g) => g === 0)).toBe(true);
    expect(after.loss[early]).toBe(before.loss[early]);
    expect(row(after.scores, early)).toEqual(row(before.scores, early));
  });

  it('clips what comes back, and checks it although the attack never looked', async () => {
    const toy = linearToy();
    const blind = attack(async ({ model, x, goal }) => {
      const { gradient } = await model.gradient(x, pickOwn(goal));
      return tensor(
        x.data.map((v, i) => v + 1e3 * gradient.data[i]!),
        x.shape,
      );
    });
    const { reached, points } = await evade(task(toy, { attack: blind, epsilon: 0.1 }));
    expect(reached).toContain(1);
    points.data.forEach((v, i) => expect(Math.abs(v - toy.x.data[i]!)).toBeLessThanOrEqual(0.1 + 1e-7));
  });

  it('does not count points outside the ball', async () => {
    const toy = linearToy();
    const cheat = attack(async ({ model, x }) => {
      await model.scores(
        tensor(
          x.data.map((v) => 1 - v),
          x.shape,
        ),
      );
      return x;
    });
    expect((await evade(task(toy, { attack: cheat, epsilon: 1e-6 }))).reached).not.toContain(1);
  });

  it('needs a lead of the confidence that was asked for', async () => {
    const toy = linearToy();
    const broken = async (confidence: number) =>
      (await evade(task(toy, { goal: { ...leave(toy), confidence } }))).reached.reduce((a, b) => a + b);
    expect(await broken(0.5)).toBeLessThan(await broken(0));
  });

  it('tries again what held, from other random numbers', async () => {
    const toy = linearToy();
    const guess = attack(async ({ ball, random }) => ball.sample(random));
    const broken = async (restarts: number) =>
      (await evade(task(toy, { attack: guess, restarts }))).reached.reduce((a, b) => a + b);
    expect(await broken(8)).toBeGreaterThan(await broken(1));
  });

  it.each(['labels', 'scores'] as const)('offers %s and nothing above', async (access) => {
    const toy = linearToy();
    const nosy = attack(
      async ({ model, x, goal }) => (await model.gradient(x, pickOwn(goal))).gradient,
      access as never,
    );
    await expect(evade(task(toy, { attack: nosy }))).rejects.toThrow(
      `Unexpected call of gradient at an attack that declares access '${access}'`,
    );
  });

  it('refuses points of another shape', async () => {
    const short = attack(async ({ x }) => take(x, [0]));
    await expect(evade(task(linearToy(), { attack: short }))).rejects.toThrow('Return one point per sample.');
  });

  it('probes one sample many times', async () => {
    const toy = linearToy({ samples: 2 });
    const prober = attack(async ({ model, x }) => {
      await model.scores(take(x, [1, 1, 1]), { of: [1, 1, 1] });
      return x;
    });
    expect([...(await evade(task(toy, { attack: prober }))).queries]).toEqual([1, 4]);
  });
});

/** Goes straight for the other class of the linear toy, too far at first, then by ever smaller shares, then too far again. */
const shrink = attack(
  async ({ model, x, goal, ball }) => {
    const { gradient } = await model.gradient(x, pickOwn(goal));
    const at = (length: number) => ({
      ...x,
      data: x.data.map((v, i) => v + length * Math.sign(gradient.data[i]!)),
    });
    for (let length = 0.64; length > 1e-4; length /= 2) await model.scores(ball.project(at(length)));
    await model.scores(ball.project(at(0.64)));
    return at(0.64);
  },
  undefined,
  'smallest',
);

describe('an attack that finds the smallest', () => {
  it('keeps the nearest point of all, and nothing ends a sample', async () => {
    const toy = linearToy();
    const { model, calls } = recorded(toy);
    const found = await evade(task(toy, { attack: shrink, model, epsilon: Infinity }));
    expect(new Set(calls)).toEqual(new Set([60]));
    expect([...found.queries]).toEqual(Array(60).fill(calls.length));
    found.distance.forEach((far, i) => {
      expect(far).toBeGreaterThanOrEqual(toy.distance(i, 'linf') * (1 - 1e-5));
      expect(far).toBeLessThan(6 * toy.distance(i, 'linf'));
      const points = row(found.points, i).map((v, j) => Math.abs(v - row(toy.x, i)[j]!));
      expect(Math.max(...points)).toBe(far);
    });
    expect(await toy.model.labels(found.points)).toEqual(toy.y.map((label) => 1 - label));
  });

  it('counts what lies within epsilon, and gives the input back for the rest', async () => {
    const toy = linearToy();
    const { reached, distance, points, labels } = await evade(task(toy, { attack: shrink }));
    expect(new Set(reached)).toEqual(new Set([0, 1]));
    reached.forEach((hit, i) => {
      expect(distance[i]! <= 0.05 + 2e-7).toBe(hit === 1);
      expect(distance[i]).toBeLessThan(Infinity);
      if (!hit) expect(row(points, i)).toEqual(row(toy.x, i));
      expect(labels[i]).toBe(hit ? 1 - toy.y[i]! : toy.y[i]);
    });
  });

  it('crafts nothing', async () => {
    await expect(maximise(task(linearToy(), { attack: shrink }))).rejects.toThrow('expected one that uses');
  });
});

describe('a budget of queries', () => {
  it.each([
    ['within-budget', 1e-6],
    ['smallest', Infinity],
  ] as const)('ends samples that spent it, and the run when all have (%s)', async (finds, epsilon) => {
    const toy = linearToy({ samples: 2 });
    const { model, calls } = recorded(toy);
    const endless = attack(
      async ({ model, x, queries, active }) => {
        expect(queries).toBe(7);
        for (let left = 7; ; left--) {
          expect(active(1)).toBe(left > 0);
          await model.scores(take(x, [0, 0, 1]), { of: [0, 0, 1] });
        }
      },
      undefined,
      finds,
    );
    const { queries } = await evade(task(toy, { attack: endless, model, queries: 7, epsilon }));
    expect([...queries]).toEqual([7, 7]);
    expect(calls).toEqual([3, 3, 3, 2, 1, 1, 1]);
  });

  it('is shared by restarts', async () => {
    const toy = linearToy({ samples: 2 });
    const seen: number[] = [];
    const asking = attack(async ({ model, x, queries }) => {
      seen.push(queries);
      await model.scores(x);
      return x;
    });
    const given = { attack: asking, queries: 5, epsilon: 1e-6, restarts: 9 };
    expect([...(await evade(task(toy, given))).queries]).toEqual([5, 5]);
    expect(seen).toEqual([5, 3, 1]);
  });

  it('does not end a run whose other samples go on', async () => {
    const toy = linearToy({ samples: 2 });
    const { model, calls } = recorded(toy);
    const uneven = attack(async ({ model, x }) => {
      for (let i = 0; i < 5; i++) {
        await model.gradient(take(x, [0]), lossAt(pickOwn(leave(toy)), [0]), { of: [0] });
      }
      const { gradient } = await model.gradient(x, pickOwn(leave(toy)));
      expect(row(gradient, 0).every((g) => g === 0)).toBe(true);
      expect(row(gradient, 1).some((g) => g !== 0)).toBe(true);
      return x;
    });
    const given = { attack: uneven, model, queries: 3, epsilon: 1e-6 };
    expect([...(await evade(task(toy, given))).queries]).toEqual([3, 2]);
    expect(calls).toEqual([1, 1, 1, 1, 1]);
  });
});

describe('starts', () => {
  const begin = attack(async ({ starts }) => starts(), 'labels' as never, 'smallest');

  it('are clean samples of another answer, each asked about once', async () => {
    const toy = linearToy();
    const pool = async () => ({ x: toy.x, labels: toy.y });
    const found = await evade(task(toy, { attack: begin, epsilon: Infinity, pool }));
    expect([...found.reached]).toEqual(Array(60).fill(1));
    // One for the start, one for checking what the attack returns.
    expect([...found.queries]).toEqual(Array(60).fill(2));
    const samples = [...toy.y.keys()].map((i) => String(row(toy.x, i)));
    for (const i of toy.y.keys()) expect(samples).toContain(String(row(found.points, i)));
  });

  it('are random points where there are no such samples', async () => {
    const toy = linearToy();
    const { reached, queries } = await evade(task(toy, { attack: begin, epsilon: Infinity }));
    expect([...reached]).toEqual(Array(60).fill(1));
    expect(new Set(queries).size).toBeGreaterThan(1);
  });

  it('are a failure with its reason where there are none at all', async () => {
    const toy = linearToy({ samples: 3 });
    const never = { kind: 'targeted', classes: new Int32Array(3).fill(1), confidence: 1e9 } as const;
    const found = await evade(task(toy, { attack: begin, epsilon: Infinity, goal: never }));
    expect([...found.failures.values()]).toEqual(Array(3).fill(expect.stringContaining('to start from')));
    expect(found.points).toEqual(toy.x);
  });
});

it('shows labels alone to an attack that may see no more, but counts what reaches the goal by its confidence', async () => {
  const toy = linearToy();
  const flip = attack(
    async ({ model, x }) => {
      const far = { ...x, data: x.data.map((v) => 1 - v) };
      const labels = await model.labels(far);
      expect([...labels]).toEqual([...(await toy.model.labels(far))]);
      return x;
    },
    'labels' as never,
    'smallest',
  );
  const broken = async (confidence: number) => {
    const goal = { ...leave(toy), confidence };
    const { reached } = await evade(task(toy, { attack: flip, epsilon: Infinity, goal }));
    return reached.reduce((a, b) => a + b);
  };
  expect(await broken(1)).toBeLessThan(await broken(0));
});

describe('maximise', () => {
  it('moves every sample to the end, broken or not', async () => {
    const toy = linearToy();
    const { model, calls } = recorded(toy);
    const points = await maximise(task(toy, { model, epsilon: 2 }));
    expect(calls).toEqual(Array(30).fill(60));
    expect(await toy.model.labels(points)).toEqual(toy.y.map((label) => 1 - label));
  });
});

describe('a model that votes its labels', () => {
  const toy = curvedToy();
  /** No answer where the highest score does not lead enough. */
  const sure = (scores: Tensor): Int32Array =>
    argmax(scores).map((label, i) => {
      const [first = 0, second = 0] = row(scores, i).toSorted((a, b) => b - a);
      return first - second > LEAD ? label : ABSTAIN;
    });
  const LEAD = 0.5;
  let asked = 0;
  const labels = async (points: Tensor) => {
    asked += rows(points);
    return sure(await toy.model.scores(points));
  };
  const voting = { ...toy.model, votes: true, labels };
  const found = async (model: typeof voting | Toy['model']) => {
    asked = 0;
    const { reached, labels: answers, scores } = await evade(task(toy, { model, epsilon: 0.005 }));
    return { broken: reached.reduce((sum, hit) => sum + hit, 0), answers: [...answers], scores, asked };
  };

  it('is broken where it gives no answer, though its scores are right', async () => {
    const [plain, voted] = [await found(toy.model), await found(voting)];
    expect(voted.broken).toBeGreaterThan(plain.broken);
    const abstained = voted.answers.flatMap((answer, i) => (answer === ABSTAIN ? [i] : []));
    expect(abstained.length).toBeGreaterThan(0);
    for (const i of abstained) expect(voted.scores.has(i)).toBe(false);
  });

  it('is asked for them beside scores, and no other model is', async () => {
    expect((await found(voting)).asked).toBeGreaterThan(rows(toy.x));
    expect((await found({ ...toy.model, labels })).asked).toBe(0);
  });

  it('answers what it votes to an attack by labels', async () => {
    const seen: Int32Array[] = [];
    const look = attack(async ({ model, x }) => (seen.push(await model.labels(x)), x), 'labels' as never);
    await evade(task(toy, { model: voting, attack: look }));
    expect(seen[0]).toEqual(sure(await toy.model.scores(toy.x)));
  });
});

it('keeps no answer and no scores of a point that breaks a model by NaN', async () => {
  const toy = linearToy();
  const scores = async (points: Tensor) => {
    const answers = await toy.model.scores(points);
    return tensor(answers.data.fill(NaN, 0, 1), answers.shape);
  };
  const still = attack(async ({ x }) => x);
  const found = await evade(task(toy, { model: { ...toy.model, scores }, attack: still }));
  expect([...found.reached].indexOf(1)).toBe(0);
  expect(found.labels[0]).toBe(ABSTAIN);
  expect(found.scores.has(0)).toBe(false);
});

it('counts a random model as broken where most of its draws give NaN, whatever class has the highest number', async () => {
  const toy = linearToy();
  const scores = async (points: Tensor) => {
    const answers = await toy.model.scores(points);
    // The class of the first sample is the only one that has a score.
    answers.data[1 - toy.y[0]!] = NaN;
    return answers;
  };
  const labels = async (points: Tensor) => argmax(await scores(points));
  const random: Toy['model'] = { ...toy.model, scores, labels, draw: () => random };
  const look = attack(async ({ model, x }) => (await model.scores(x), x));
  const lookAtLabels = attack(async ({ model, x }) => (await model.labels(x), x), 'labels' as never);
  for (const attack of [look, lookAtLabels]) {
    const found = await evade(task(toy, { model: random, attack }));
    expect(found.reached[0]).toBe(1);
    expect(found.labels[0]).toBe(ABSTAIN);
    expect(found.scores.has(0)).toBe(false);
  }
});
