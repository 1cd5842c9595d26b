import {
  ABSTAIN,
  type Access,
  allows,
  type GradientModel,
  isGauntletError,
  type Loss,
  lossAt,
  type Model,
  parseOptions,
  type Wrapper,
  type WrapperJob,
} from '@gauntlet/core';
import { evaluateLoss, logOdds, weighted } from '@gauntlet/kit';
import { argmax, like, row, rows, stream, take, type Tensor, tensor } from '@gauntlet/tensor';
import { defenceFacts } from './facts.js';
import { proofChecks } from './proof.js';
import { type Check, ensure, register, type Registration } from './runner.js';
import { same } from './same.js';
import { curvedToy } from './toys.js';

/** How a check is run: the wrapper and its options. */
export interface WrapperSubject {
  readonly defence: Wrapper;
  readonly options: unknown;
}

const toy = curvedToy();

/** What the toy answers, half as surely. */
const unsure: GradientModel = {
  ...toy.model,
  name: 'unsure toy',
  scores: async (points) => halved(await toy.model.scores(points)),
  async gradient(points, loss) {
    const scores = halved(await toy.model.scores(points));
    const evaluated = evaluateLoss(loss, scores);
    const { gradient } = await toy.model.gradient(points, weighted(halved(evaluated.scoresGradient)));
    return { scores, loss: evaluated.loss, gradient };
  },
};

const halved = (t: Tensor) =>
  like(
    t,
    t.data.map((value) => value / 2),
  );

/** Models for a wrapper, each offering so much. */
const modelsFor = ({ models }: Wrapper, access: Access = 'gradients') =>
  (models === 'one' ? [toy.model] : [toy.model, unsure]).map((model) => ({
    ...model,
    access,
  })) as unknown as [Model<Access>, ...Model<Access>[]];

/** The wrapped model; its noise belongs to the key and the sample, so that equal calls get equal answers. */
function wrapped({ defence, options }: WrapperSubject, { key = 'a', models = modelsFor(defence) } = {}) {
  const job: WrapperJob = { models, options, noise: (of) => of.map((i) => stream('wrapper', key, i)) };
  return defence.wrap(job as WrapperJob<never>) as GradientModel;
}

const numbers = (label: string) => {
  const random = stream(label);
  return Float32Array.from({ length: rows(toy.x) * toy.model.classes }, () => random.normal());
};

const LOSSES: Readonly<Record<string, Loss>> = {
  'log-odds': logOdds({ kind: 'untargeted', classes: toy.y, confidence: 0 }),
  'weighted scores': weighted(tensor(numbers('weights'), [rows(toy.x), toy.model.classes])),
};

/** What every wrapper must do. Each check throws a sentence when it fails. */
export const wrapperChecks: Readonly<Record<string, Check<WrapperSubject>>> = {
  ...defenceFacts,
  ...proofChecks,

  async 'takes and gives what its models do, and offers no more access'(subject) {
    for (const access of ['gradients', 'scores', 'labels'] as const) {
      let model: Model<Access>;
      try {
        model = wrapped(subject, { models: modelsFor(subject.defence, access) });
      } catch (error) {
        ensure(isGauntletError(error), `Unexpected ${String(error)}, expected a GauntletError or a model.`);
        continue;
      }
      const { input, classes } = toy.model;
      ensure(
        JSON.stringify([model.input, model.classes]) === JSON.stringify([input, classes]),
        `Unexpected inputs or classes of ${model.name}, expected those of ${toy.model.name}.`,
      );
      const most = access === 'gradients' && subject.defence.backward === 'none' ? 'scores' : access;
      ensure(allows(most, model.access), `Unexpected access ${model.access}, expected at most ${most}.`);
    }
  },

  async 'offers gradients, where they pass it'(subject) {
    const { access } = wrapped(subject);
    ensure(
      (access === 'gradients') === (subject.defence.backward !== 'none'),
      `Unexpected access ${access} over models with gradients, expected what \`backward\` says.`,
    );
  },

  async 'leaves its input alone'(subject) {
    const x = like(toy.x, toy.x.data.slice());
    const model = wrapped(subject);
    await model.labels(x);
    if (allows(model.access, 'scores')) await model.scores(x);
    if (allows(model.access, 'gradients')) await model.gradient(x, LOSSES['log-odds']!);
    ensure(same(x, toy.x), 'Unexpected change of the input, expected new arrays only.');
  },

  async 'treats each point by itself, whatever the batch'(subject) {
    const of = [4, 1, 3];
    const part = take(toy.x, of);
    const model = wrapped(subject);
    const problem =
      'Unexpected change of a point when its batch changes, expected each by itself. Draw from the streams of noise(of).';
    const labels = await model.labels(toy.x);
    const own = await model.labels(part, { of });
    ensure(
      own.every((label, k) => label === labels[of[k]!]),
      problem,
    );
    if (!allows(model.access, 'scores')) return;
    ensure(same(await model.scores(part, { of }), take(await model.scores(toy.x), of)), problem);
    if (!allows(model.access, 'gradients')) return;
    const loss = LOSSES['log-odds']!;
    const { gradient } = await model.gradient(toy.x, loss);
    ensure(
      same((await model.gradient(part, lossAt(loss, of), { of })).gradient, take(gradient, of)),
      problem,
    );
  },

  async 'is random where it says so, and nowhere else'(subject) {
    const answers = async (key: string) => {
      const model = wrapped(subject, { key });
      return allows(model.access, 'scores')
        ? [...(await model.scores(toy.x)).data]
        : [...(await model.labels(toy.x))];
    };
    const [first, again, other] = [await answers('a'), await answers('a'), await answers('b')];
    ensure(
      String(first) === String(again),
      'Unexpected difference between two calls with the same streams, expected none.',
    );
    ensure(
      (String(first) === String(other)) === (subject.defence.random !== true),
      `Unexpected ${subject.defence.random === true ? 'equality' : 'difference'} between streams, expected what \`random\` says.`,
    );
  },

  async 'answers with the class of its largest score, or abstains'(subject) {
    const model = wrapped(subject);
    if (!allows(model.access, 'scores')) return;
    const best = argmax(await model.scores(toy.x));
    const labels = await model.labels(toy.x);
    const other = labels.filter((label, i) => label !== ABSTAIN && label !== best[i]).length;
    ensure(
      model.votes === true || !labels.includes(ABSTAIN),
      'Unexpected sample without an answer, expected `votes` to say that labels are not told by scores.',
    );
    // Votes and mean probabilities of a random model may differ where it is in two minds.
    const most = subject.defence.random === true ? 0.1 * labels.length : 0;
    ensure(
      other <= most,
      `Unexpected other class than that of the largest score for ${other} samples, expected it.`,
    );
  },

  async 'still classifies'(subject) {
    const labels = await wrapped(subject).labels(toy.x);
    const right = labels.filter((label, i) => label === toy.y[i]).length;
    ensure(
      right >= 0.7 * labels.length,
      `Unexpected ${right} of ${labels.length} samples classified correctly, of a model that is always right, expected 70%.`,
    );
  },

  async 'asks every model that it is given'(subject) {
    const { defence } = subject;
    const answers = async (changed: number) => {
      const models = modelsFor(defence).map((model, i) =>
        i === changed ? turned(model as GradientModel) : model,
      );
      const model = wrapped(subject, { models: models as unknown as [Model<Access>] });
      return allows(model.access, 'scores')
        ? [...(await model.scores(toy.x)).data]
        : [...(await model.labels(toy.x))];
    };
    const plain = await answers(-1);
    for (const i of modelsFor(defence).keys()) {
      ensure(
        String(await answers(i)) !== String(plain),
        `Unexpected equal answers after a change of model ${i}, expected other ones.`,
      );
    }
  },

  async 'gives the loss of the scores that it gives'(subject) {
    const model = wrapped(subject);
    if (!allows(model.access, 'gradients')) return;
    for (const [name, loss] of Object.entries(LOSSES)) {
      const given = await model.gradient(toy.x, loss);
      if (subject.defence.random !== true)
        ensure(
          same(given.scores, await model.scores(toy.x)),
          'Unexpected scores beside a gradient, expected those of a call for scores.',
        );
      evaluateLoss(loss, given.scores).loss.forEach((wanted, i) =>
        ensure(
          Math.abs(given.loss[i]! - wanted) <= 1e-4 * (1 + Math.abs(wanted)),
          `Unexpected loss ${given.loss[i]} (${name}), expected ${wanted} of its scores.`,
        ),
      );
    }
  },

  async 'has the gradient of its loss, as differences say, where it is exact'(subject) {
    if (subject.defence.backward !== 'exact') return;
    const model = wrapped(subject);
    const step = 2e-3;
    for (const [name, loss] of Object.entries(LOSSES)) {
      const { gradient } = await model.gradient(toy.x, loss);
      for (let place = 0; place < row(toy.x, 0).length; place += 3) {
        const at = async (by: number) => {
          const moved = like(toy.x, toy.x.data.slice());
          for (let i = 0; i < rows(moved); i++) row(moved, i)[place]! += by;
          return (await model.gradient(moved, loss)).loss;
        };
        const [up, down] = [await at(step), await at(-step)];
        up.forEach((value, i) => {
          const wanted = (value - down[i]!) / (2 * step);
          const given = row(gradient, i)[place]!;
          ensure(
            Math.abs(given - wanted) <= 0.02 * (1 + Math.abs(wanted)),
            `Unexpected gradient ${given} at entry ${place} (${name}), expected ${wanted}, by differences.`,
          );
        });
      }
    }
  },
};

/** The same model with its classes in reverse order. */
function turned(model: GradientModel): GradientModel {
  const { classes } = model;
  return {
    ...model,
    labels: async (points) => (await model.labels(points)).map((label) => classes - 1 - label),
    async scores(points) {
      const scores = await model.scores(points);
      for (let i = 0; i < rows(scores); i++) row(scores, i).reverse();
      return scores;
    },
  };
}

/**
 * Registers every check of `wrapperChecks` for a wrapper.
 *
 * @param settings.options options to test with; the defaults of the schema otherwise.
 * @param settings.skip checks that do not hold for this defence, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testWrapper(
  defence: Wrapper,
  settings: Registration & { options?: Record<string, unknown> } = {},
): void {
  const { options = {} } = settings;
  register(`${defence.id} with ${JSON.stringify(options)}`, wrapperChecks, settings, async () => ({
    defence,
    options: await parseOptions(defence.options, options, defence.id),
  }));
}
