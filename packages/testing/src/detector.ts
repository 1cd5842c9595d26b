import {
  type Access,
  allows,
  type Detector,
  type DetectorJob,
  parseOptions,
  thresholdFor,
} from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { like, rows, take, type Tensor } from '@gauntlet/tensor';
import { defenceFacts } from './facts.js';
import { type Check, ensure, register, type Registration } from './runner.js';
import { same } from './same.js';
import { imageToy, type Toy } from './toys.js';

/** How a check is run: the detector and its options. */
export interface DetectorSubject {
  readonly defence: Detector;
  readonly options: unknown;
}

const suspicion = (
  { defence, options }: DetectorSubject,
  { model, x }: Pick<DetectorJob, 'model' | 'x'>,
): Promise<Float32Array> => defence.suspicion({ model, x, options } as DetectorJob<never, never>);

/** Every point moved by 0.2 in linf against its class: most of the toy's answers are wrong there. */
async function attacked({ model, x, y }: Toy): Promise<Tensor> {
  const { gradient } = await model.gradient(x, logOdds({ kind: 'untargeted', classes: y, confidence: 0 }));
  return like(
    x,
    x.data.map((value, i) => Math.min(1, Math.max(0, value + 0.2 * Math.sign(gradient.data[i]!)))),
  );
}

/** What every detector must do. Each check throws a sentence when it fails. */
export const detectorChecks: Readonly<Record<string, Check<DetectorSubject>>> = {
  ...defenceFacts,

  async 'gives a number for each point'(subject) {
    const { model, x } = imageToy();
    for (const points of [x, take(x, [0])]) {
      const found = await suspicion(subject, { model, x: points });
      ensure(
        found.length === rows(points) && found.every(Number.isFinite),
        `Unexpected suspicion of ${found.length} points, or NaN among it, expected ${rows(points)} finite numbers.`,
      );
    }
  },

  async 'leaves its input alone'(subject) {
    const { model, x } = imageToy();
    const before = like(x, x.data.slice());
    await suspicion(subject, { model, x });
    ensure(same(x, before), 'Unexpected change of the input, expected new arrays only.');
  },

  async 'suspects a point by itself, whatever the batch, and the same each time'(subject) {
    const { model, x } = imageToy();
    const of = [4, 1, 3];
    const whole = await suspicion(subject, { model, x });
    const part = await suspicion(subject, { model, x: take(x, of) });
    ensure(
      of.every((i, k) => part[k] === whole[i]),
      'Unexpected other suspicion of a point in another batch, expected each by itself, and nothing random.',
    );
  },

  async 'asks for no more than it declares'(subject) {
    const { model, x } = imageToy();
    const refuse = async () => {
      throw new Error('Unexpected call of what the detector does not declare, expected its access only.');
    };
    const { access } = subject.defence;
    const may = (needed: Access) => allows(access, needed);
    const walled = {
      ...model,
      access,
      labels: may('labels') ? model.labels : refuse,
      scores: may('scores') ? model.scores : refuse,
      gradient: may('gradients') ? model.gradient : refuse,
    };
    await suspicion(subject, { model: walled, x });
  },

  async 'works in the units of the box'(subject) {
    const { model, x } = imageToy();
    const [lo, hi] = [-1, 3];
    const unscaled = (points: Tensor) =>
      like(
        points,
        points.data.map((value) => (value - lo) / (hi - lo)),
      );
    const scaled = {
      ...model,
      input: { ...model.input, bounds: [lo, hi] as const },
      labels: async (points: Tensor) => model.labels(unscaled(points)),
      scores: async (points: Tensor) => model.scores(unscaled(points)),
    };
    const wide = like(
      x,
      x.data.map((value) => lo + value * (hi - lo)),
    );
    const [plain, other] = [
      await suspicion(subject, { model, x }),
      await suspicion(subject, { model: scaled, x: wide }),
    ];
    const wrong = plain.filter((one, i) => Math.abs(one - other[i]!) > 0.05 * (1 + Math.abs(one))).length;
    ensure(
      wrong <= 0.1 * plain.length,
      `Unexpected other suspicion of ${wrong} of ${plain.length} points in the box [${lo}, ${hi}], expected the same work in other units.`,
    );
  },

  async 'suspects attacked points more than clean ones'(subject) {
    const toy = imageToy();
    const threshold = thresholdFor(await suspicion(subject, toy), 0.1);
    const found = await suspicion(subject, { model: toy.model, x: await attacked(toy) });
    const caught = found.filter((value) => value > threshold).length;
    ensure(
      caught >= 0.8 * found.length,
      `Unexpected ${caught} of ${found.length} attacked points above what a tenth of the clean ones exceed, expected most of them.`,
    );
  },
};

/**
 * Registers every check of `detectorChecks` for a detector, on grey images of 8 x 8.
 *
 * @param settings.options options to test with; the defaults of the schema otherwise.
 * @param settings.skip checks that do not hold for this detector, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testDetector(
  defence: Detector,
  settings: Registration & { options?: Record<string, unknown> } = {},
): void {
  const { options = {} } = settings;
  register(defence.id, detectorChecks, settings, async () => ({
    defence,
    options: await parseOptions(defence.options, options, defence.id),
  }));
}
