import { isGauntletError, parseOptions, type Preprocessor, type PreprocessorJob } from '@gauntlet/core';
import { like, row, rows, stream, take, type Tensor, tensor } from '@gauntlet/tensor';
import { defenceFacts } from './facts.js';
import { type Check, ensure, register, type Registration } from './runner.js';
import { same } from './same.js';

/** How a check is run: the preprocessor, its options, and one sample's shape that it works on. */
export interface PreprocessorSubject {
  readonly defence: Preprocessor;
  readonly options: unknown;
  readonly shape: readonly number[];
}

const BOXES = [
  [0, 1],
  [-1, 3],
] as const;
const SAMPLES = 6;

/** Points all over the box, its corners included. */
function pointsIn([lo, hi]: readonly [number, number], shape: readonly number[]): Tensor {
  const random = stream('preprocessor', lo, hi);
  const size = shape.reduce((product, n) => product * n, 1);
  const share = (i: number) => (i < size ? 0 : i < 2 * size ? 1 : random.uniform());
  const data = Float32Array.from({ length: SAMPLES * size }, (_, i) => lo + (hi - lo) * share(i));
  return tensor(data, [SAMPLES, ...shape]);
}

const job = (
  { options, shape }: PreprocessorSubject,
  x: Tensor,
  { bounds = BOXES[0] as readonly [number, number], key = 'a', of = [...Array(rows(x)).keys()] } = {},
): PreprocessorJob<never> =>
  ({
    x,
    input: { shape, bounds },
    options: options as never,
    random: of.map((i) => stream(key, i)),
  }) satisfies PreprocessorJob<never>;

/** What every preprocessor must do. Each check throws a sentence when it fails. */
export const preprocessorChecks: Readonly<Record<string, Check<PreprocessorSubject>>> = {
  ...defenceFacts,

  async 'gives points of the box, in the same shape'(subject) {
    for (const bounds of BOXES) {
      const x = pointsIn(bounds, subject.shape);
      const seen = await subject.defence.run(job(subject, x, { bounds }));
      ensure(
        String(seen.shape) === String(x.shape),
        `Unexpected shape [${seen.shape}], expected [${x.shape}].`,
      );
      const outside = seen.data.find((value) => !(value >= bounds[0] && value <= bounds[1]));
      ensure(outside === undefined, `Unexpected ${outside}, expected values in [${bounds}].`);
    }
  },

  async 'works in the units of the box'(subject) {
    const [plain, wide] = BOXES;
    const x = pointsIn(plain, subject.shape);
    const scaled = like(
      x,
      x.data.map((value) => wide[0] + value * (wide[1] - wide[0])),
    );
    const seen = await subject.defence.run(job(subject, x));
    const other = await subject.defence.run(job(subject, scaled, { bounds: wide }));
    const wrong = seen.data.filter(
      (value, i) => Math.abs(wide[0] + value * (wide[1] - wide[0]) - other.data[i]!) > 0.05,
    ).length;
    ensure(
      wrong <= 0.02 * seen.data.length,
      `Unexpected difference in ${wrong} of ${seen.data.length} values between the boxes [${plain}] and [${wide}], expected the same work in other units.`,
    );
  },

  async 'leaves its input alone'(subject) {
    const x = pointsIn(BOXES[0], subject.shape);
    const before = x.data.slice();
    await subject.defence.run(job(subject, x));
    ensure(same(x, like(x, before)), 'Unexpected change of the input, expected new arrays only.');
  },

  async 'treats each point by itself, whatever the batch'(subject) {
    const x = pointsIn(BOXES[0], subject.shape);
    const of = [4, 1, 3];
    const whole = await subject.defence.run(job(subject, x));
    const part = await subject.defence.run(job(subject, take(x, of), { of }));
    ensure(
      same(part, take(whole, of)),
      'Unexpected change of a point when its batch changes, expected each by itself. Draw from random[i].',
    );
  },

  async 'is random where it says so, and nowhere else'(subject) {
    const { defence } = subject;
    const x = pointsIn(BOXES[0], subject.shape);
    const seen = async (key: string) => defence.run(job(subject, x, { key }));
    const [first, again, other] = [await seen('a'), await seen('a'), await seen('b')];
    ensure(
      same(first, again),
      'Unexpected difference between two calls with the same streams, expected none.',
    );
    ensure(
      same(first, other) === (defence.random !== true),
      `Unexpected ${defence.random === true ? 'equality' : 'difference'} between streams, expected what \`random\` says.`,
    );
  },

  async 'has a pullback where its backward needs one'({ defence: { backward, pullback } }) {
    const needed = backward === 'exact' || backward === 'substitute';
    ensure(
      needed === (pullback !== undefined),
      `Unexpected ${needed ? 'lack of a' : ''} pullback, expected one for exact and substitute only.`,
    );
  },

  async 'pulls gradients back as differences do, where it is exact'(subject) {
    const { defence, shape } = subject;
    if (defence.backward !== 'exact') return;
    const inner = pointsIn([0.3, 0.7], shape);
    const x = take(inner, [2, 3, 4, 5]);
    const gradient = take(pointsIn([-1, 3], shape), [2, 3, 4, 5]);
    const found = await defence.pullback!({ ...job(subject, x), gradient });
    const step = 1e-2;
    for (let place = 0; place < row(x, 0).length; place += 5) {
      const value = async (by: number) => {
        const moved = like(x, x.data.slice());
        for (let i = 0; i < rows(x); i++) row(moved, i)[place]! += by;
        const seen = await defence.run(job(subject, moved));
        return Array.from({ length: rows(x) }, (_, i) =>
          row(seen, i).reduce((sum, one, j) => sum + one * row(gradient, i)[j]!, 0),
        );
      };
      const [up, down] = [await value(step), await value(-step)];
      up.forEach((one, i) => {
        const wanted = (one - down[i]!) / (2 * step);
        const given = row(found, i)[place]!;
        ensure(
          Math.abs(given - wanted) <= 0.02 * (1 + Math.abs(wanted)),
          `Unexpected ${given} pulled back to entry ${place}, expected ${wanted}, by differences.`,
        );
      });
    }
  },

  async 'refuses what it cannot work on in a sentence'(subject) {
    const shape = [2, 2, 2, 2, 2];
    const x = pointsIn(BOXES[0], shape);
    await subject.defence.run(job({ ...subject, shape }, x)).then(
      (seen) =>
        ensure(same(seen, like(x, seen.data)), `Unexpected shape [${seen.shape}], expected [${x.shape}].`),
      (error: unknown) =>
        ensure(isGauntletError(error), `Unexpected ${String(error)}, expected a GauntletError or an answer.`),
    );
  },
};

/**
 * Registers every check of `preprocessorChecks` for a preprocessor.
 *
 * @param settings.options options to test with; the defaults of the schema otherwise.
 * @param settings.shape one sample's shape; a grey image of 8 x 8 otherwise.
 * @param settings.skip checks that do not hold for this defence, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testPreprocessor(
  defence: Preprocessor,
  settings: Registration & { options?: Record<string, unknown>; shape?: readonly number[] } = {},
): void {
  const { options = {}, shape = [1, 8, 8] } = settings;
  register(`${defence.id} on [${shape}]`, preprocessorChecks, settings, async () => ({
    defence,
    options: await parseOptions(defence.options, options, defence.id),
    shape,
  }));
}
