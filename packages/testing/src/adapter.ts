import { type Adapter, isGauntletError, type Loss, lossAt, type OpenModel, type Term } from '@gauntlet/core';
import { crossEntropy, evaluateLoss } from '@gauntlet/kit';
import { argmax, row, rows, stream, take, type Tensor, tensor } from '@gauntlet/tensor';
import { ensureFacts } from './facts.js';
import { type Check, ensure, register, type Registration } from './runner.js';

/** An adapter under test. */
export interface AdapterSubject {
  readonly adapter: Adapter;
  /**
   * Opens a model of its format whose scores are its points [n, classes], plus `shift`, for bounds of [-1000, 1000]: so the gradient
   * of a loss by the points is that by the scores.
   */
  identity(classes: number, shift: number): Promise<OpenModel<'gradients'>>;
}

type Identity = OpenModel<'gradients'>;

const CLASSES = 5;
const COUNT = 7;

const pick: Term = { op: 'pick', class: 'own' };
const other: Term = { op: 'maxOther', class: 'own' };
const rest: Term = { op: 'logSumExpOther', class: 'own' };
const gap: Term = { op: 'sub', of: [rest, pick] };
const place = (n: number): Term => ({ op: 'ranked', place: n });

/** Every kind of term, by itself or in a loss of the literature. */
const TERMS: Readonly<Record<string, Term>> = {
  pick,
  'pick of another class': { op: 'add', of: [pick, { op: 'pick', class: 'target' }] },
  'largest other': other,
  'logSumExp of others': rest,
  'first place': place(0),
  'third place': place(2),
  'last place': place(CLASSES - 1),
  'cross-entropy against a distribution': { op: 'softCrossEntropy', target: 'teacher', temperature: 3 },
  'all scores, weighted': { op: 'weighted', target: 'teacher' },
  softplus: { op: 'softplus', of: gap },
  relu: { op: 'relu', of: { op: 'sub', of: [other, pick] } },
  negative: { op: 'neg', of: rest },
  product: { op: 'mul', of: [other, pick] },
  'weighted by a given number': { op: 'mul', of: [{ op: 'given', name: 'weight' }, gap] },
  'constant beside': { op: 'add', of: [{ op: 'constant', value: 3 }, pick] },
  'difference of logits ratio': {
    op: 'div',
    of: [
      { op: 'sub', of: [other, pick] },
      {
        op: 'add',
        of: [
          { op: 'sub', of: [place(0), place(2)] },
          { op: 'constant', value: 1e-12 },
        ],
      },
    ],
  },
};

const points = (count: number, classes = CLASSES): Tensor => {
  const random = stream('adapter', count, classes);
  return tensor(
    Float32Array.from({ length: count * classes }, () => random.normal()),
    [count, classes],
  );
};

const lossOf = (term: Term, count: number): Loss => ({
  term,
  classes: {
    own: Int32Array.from({ length: count }, (_, i) => i % CLASSES),
    target: Int32Array.from({ length: count }, (_, i) => (i + 2) % CLASSES),
  },
  given: { weight: Float32Array.from({ length: count }, (_, i) => i - 1.5) },
  targets: {
    teacher: tensor(
      Float32Array.from({ length: count * CLASSES }, (_, i) => ((i * 7) % 10) / 10),
      [count, CLASSES],
    ),
  },
});

/** How far a number may be off: relative, and beside zero absolute. */
interface Limit {
  readonly relative: number;
  readonly absolute: number;
}
const ROUNDING: Limit = { relative: 1e-5, absolute: 1e-6 };

function near(found: ArrayLike<number>, wanted: ArrayLike<number>, what: string, limit = ROUNDING): void {
  ensure(
    found.length === wanted.length,
    `Unexpected ${found.length} numbers of ${what}, expected ${wanted.length}.`,
  );
  Array.from(wanted, (value, i) =>
    ensure(
      Math.abs(found[i]! - value) <= limit.relative * Math.abs(value) + limit.absolute,
      `Unexpected ${found[i]} among ${what}, expected ${value}.`,
    ),
  );
}

/** Makes sure that a promise is rejected with an error that was foreseen. */
async function refused(what: string, call: () => Promise<unknown>): Promise<void> {
  const error = await Promise.resolve()
    .then(call)
    .then(
      () => undefined,
      (cause: unknown) => cause ?? null,
    );
  ensure(error !== undefined, `Unexpected answer to ${what}, expected an error.`);
  ensure(
    isGauntletError(error),
    `Unexpected error for ${what} (${String(error)}), expected a GauntletError.`,
  );
}

const opened =
  (check: (model: Identity) => Promise<void>) =>
  async ({ identity }: AdapterSubject): Promise<void> => {
    const model = await identity(CLASSES, 0);
    try {
      await check(model);
    } finally {
      await model.close();
    }
  };

/** What every adapter must do. Each check throws a sentence when it fails. */
export const adapterChecks: Readonly<Record<string, Check<AdapterSubject>>> = {
  async 'says who it is'({ adapter }) {
    ensureFacts(adapter, 'adapter');
    ensure(/^[a-z0-9-]+$/.test(adapter.engine), `Unexpected engine ${adapter.engine}, expected a word.`);
    ensure(
      !adapter.opens('model.unknown'),
      'Unexpected interest in model.unknown, expected its own files only.',
    );
  },

  async 'refuses a file that is not there'({ adapter }) {
    await refused('a missing file', () => adapter.open('/no such folder/model', { bounds: [0, 1] }));
  },

  'says what its models are': opened(async ({ name, input, classes, access }) => {
    ensure(name !== '', 'Unexpected model without a name, expected one.');
    ensure(
      String(input.shape) === String([CLASSES]) &&
        String(input.bounds) === '-1000,1000' &&
        classes === CLASSES,
      `Unexpected samples of shape [${input.shape}] within [${input.bounds}] and ${classes} classes, expected [${CLASSES}], [-1000,1000] and ${CLASSES}.`,
    );
    ensure(access === 'gradients', `Unexpected access ${access}, expected gradients.`);
  }),

  'gives scores, and the first of the largest as label': opened(async (model) => {
    const x = points(COUNT);
    row(x, 3).fill(2);
    const scores = await model.scores(x);
    near(scores.data, x.data, 'scores');
    const labels = await model.labels(x);
    const wanted = argmax(x);
    ensure(
      labels.every((label, i) => label === wanted[i]),
      `Unexpected labels ${labels}, expected ${wanted}.`,
    );
  }),

  'computes every term of losses as the host does': opened(async (model) => {
    const x = points(COUNT);
    for (const [name, term] of Object.entries(TERMS)) {
      const loss = lossOf(term, COUNT);
      const wanted = evaluateLoss(loss, x);
      const found = await model.gradient(x, loss);
      near(found.scores.data, x.data, `scores beside the loss '${name}'`);
      near(found.loss, wanted.loss, `values of the loss '${name}'`);
      near(found.gradient.data, wanted.scoresGradient.data, `derivatives of the loss '${name}'`);
    }
  }),

  'keeps the precision of cross-entropy where the softmax saturates': async ({ identity }) => {
    const leads = [-80, -60, -30, -17, -5, -1, 0, 1, 20, 90];
    for (const [classes, shift] of [
      [2, 0],
      [10, 0],
      [10, -100],
      [10, 100],
    ] as const) {
      const model = await identity(classes, shift);
      const data = leads.flatMap((lead) => Array.from({ length: classes }, (_, k) => (k === 1 ? 0 : lead)));
      const x = tensor(Float32Array.from(data), [leads.length, classes]);
      const own = new Int32Array(leads.length).fill(1);
      const goal = { kind: 'untargeted', classes: own, confidence: 0 } as const;
      const { loss, gradient } = await model.gradient(x, crossEntropy(goal));
      await model.close();
      leads.forEach((lead, i) => {
        // Others are `lead` each: d = lead + log(classes - 1), loss = softplus(d), d loss / d own = -sigmoid(d).
        const d = lead + Math.log(classes - 1);
        const share = 1 / (1 + Math.exp(-d));
        const limit = { relative: 1e-4, absolute: 0 };
        const what = `at a lead of ${lead} with scores shifted by ${shift}`;
        near([loss[i]!], [d > 30 ? d : Math.log1p(Math.exp(d))], `losses ${what}`, limit);
        near(
          [row(gradient, i)[1]!, row(gradient, i)[0]!],
          [-share, share / (classes - 1)],
          `derivatives ${what}`,
          limit,
        );
      });
    }
  },

  'treats each point by itself, in batches of any size': opened(async (model) => {
    const many = 600;
    const x = points(many);
    const loss = lossOf(TERMS['weighted by a given number']!, many);
    const whole = await model.gradient(x, loss);
    const order = Array.from({ length: 9 }, (_, i) => (i * 67 + 599) % many);
    for (const chosen of [order, order.slice(0, 1), []]) {
      const part = await model.gradient(take(x, chosen), lossAt(loss, chosen));
      near(
        part.loss,
        chosen.map((i) => whole.loss[i]!),
        'losses of some points',
      );
      near(part.gradient.data, take(whole.gradient, chosen).data, 'derivatives of some points');
      near(
        (await model.scores(take(x, chosen))).data,
        take(whole.scores, chosen).data,
        'scores of some points',
      );
    }
    ensure(rows(whole.gradient) === many, `Unexpected ${rows(whole.gradient)} gradients, expected ${many}.`);
  }),

  'answers calls that overlap': opened(async (model) => {
    const sizes = [3, 40, 1, 17];
    const found = await Promise.all(
      sizes.map((size) => model.gradient(points(size), lossOf(TERMS['softplus']!, size))),
    );
    found.forEach(({ scores, loss }, i) => {
      near(scores.data, points(sizes[i]!).data, 'scores of one of several calls');
      near(
        loss,
        evaluateLoss(lossOf(TERMS['softplus']!, sizes[i]!), scores).loss,
        'losses of one of several calls',
      );
    });
  }),

  'leaves points and earlier answers alone': opened(async (model) => {
    const x = points(COUNT);
    const before = x.data.slice();
    const first = await model.gradient(x, lossOf(pick, COUNT));
    const kept = [first.scores.data.slice(), first.gradient.data.slice(), first.loss.slice()];
    x.data.fill(1);
    await model.gradient(x, lossOf(other, COUNT));
    await model.scores(x);
    [first.scores.data, first.gradient.data, first.loss].forEach((data, i) =>
      near(data, kept[i]!, 'an earlier answer after another call', { relative: 0, absolute: 0 }),
    );
    near(kept[0]!, before, 'scores');
    ensure(
      x.data.every((value) => value === 1),
      'Unexpected change of the points of a call, expected none.',
    );
  }),

  'refuses what it cannot answer': opened(async (model) => {
    const x = points(COUNT);
    await refused('points of another shape', () => model.scores(points(COUNT, CLASSES + 1)));
    await refused('a loss without values', () =>
      model.gradient(x, lossOf({ op: 'add', of: [{ op: 'given', name: 'nothing' }, pick] }, COUNT)),
    );
    await refused('a loss with too few values', () => model.gradient(x, lossOf(pick, COUNT - 1)));
    await refused('a loss of a place that it has not', () =>
      model.gradient(x, lossOf({ op: 'add', of: [place(CLASSES), pick] }, COUNT)),
    );
    near((await model.scores(x)).data, x.data, 'scores after calls that were refused');
  }),

  async 'refuses calls after it was closed, and may be closed again'({ identity }) {
    const model = await identity(CLASSES, 0);
    await model.scores(points(1));
    await model.close();
    await refused('scores after close()', () => model.scores(points(1)));
    await refused('a gradient after close()', () => model.gradient(points(1), lossOf(pick, 1)));
    await model.close();
  },
};

/**
 * Registers every check of `adapterChecks` for an adapter.
 *
 * @param settings.skip checks that do not hold for this adapter, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testAdapter(subject: AdapterSubject, settings: Registration = {}): void {
  register(subject.adapter.id, adapterChecks, settings, () => subject);
}
