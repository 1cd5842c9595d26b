import {
  type ApplyJob,
  fitArtifact,
  type Fitted,
  type FitJob,
  type Goal,
  parseOptions,
  tryArtifact,
  type Universal,
} from '@gauntlet/core';
import { ball, type BallNorm, like, row, rows, stream, take, type Tensor } from '@gauntlet/tensor';
import { typicalEpsilon } from './attack-subject.js';
import { attackFacts } from './facts.js';
import { motifToy } from './motif-toy.js';
import { type Check, ensure, register, type Registration } from './runner.js';
import { same } from './same.js';
import { linearToy, type Toy } from './toys.js';

/** How a check is run: the attack, its options, and a norm that it declares. */
export interface UniversalSubject {
  readonly attack: Universal;
  readonly options: unknown;
  readonly norm: BallNorm;
}

/** A radius within which most images of the toy can be broken. */
const EPSILON: Record<BallNorm, number> = { linf: 0.12, l2: 1, l1: 6, l0: 25 };

interface Trial {
  readonly toy: Toy;
  readonly epsilon: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** The class to arrive at; null: away from the own one. */
  readonly target: number | null;
}

const trial = ({ norm }: UniversalSubject, given: Partial<Trial> = {}): Trial => ({
  toy: motifToy(),
  epsilon: EPSILON[norm],
  seed: 0,
  signal: new AbortController().signal,
  target: null,
  ...given,
});

const common = (subject: UniversalSubject, { toy, ...own }: Trial) => ({
  ...{ ...subject, ...own },
  ...{ model: toy.model, box: toy.box },
});

const goalOf = ({ toy, target }: Trial, places: readonly number[]): Goal => ({
  kind: target === null ? 'untargeted' : 'targeted',
  classes: Int32Array.from(places, (i) => target ?? toy.y[i]!),
  confidence: 0,
});

/** The first half of the samples is fitted on, the second is tried. */
const half = ({ y }: Toy, which: 0 | 1) => [...y.keys()].filter((i) => Number(2 * i >= y.length) === which);

const fitOn = (subject: UniversalSubject, given: Trial): Promise<Fitted> => {
  const own = half(given.toy, 0);
  return fitArtifact({
    ...common(subject, given),
    data: {
      samples: own.length,
      at: async (places) => {
        const some = places.map((place) => own[place]!);
        return { x: take(given.toy.x, some), goal: goalOf(given, some) };
      },
    },
  });
};

/** Which of the samples that can be broken were, of those that were not fitted on, or of those given. */
async function brokenBy(
  subject: UniversalSubject,
  given: Trial,
  { artifact }: Pick<Fitted, 'artifact'>,
  samples = half(given.toy, 1).filter((i) => given.toy.y[i] !== given.target),
): Promise<{ readonly of: readonly number[]; readonly broken: readonly number[] }> {
  const { toy } = given;
  const { reached } = await tryArtifact({
    ...common(subject, given),
    artifact,
    x: take(toy.x, samples),
    ids: samples,
    goal: goalOf(given, samples),
    clean: Int32Array.from(samples, (i) => toy.y[i]!),
  });
  return { of: samples, broken: samples.filter((_, k) => reached[k]) };
}

/** What applying an artifact gives, before the engine clips it. */
const applied = (
  { attack, options }: UniversalSubject,
  { artifact }: Pick<Fitted, 'artifact'>,
  x: Tensor,
  { of = Array.from({ length: rows(x) }, (_, i) => i), key = 'a' } = {},
): Tensor => {
  const job: ApplyJob = { artifact, x, options, random: of.map((i) => stream(key, i)) };
  return attack.apply(job as ApplyJob<never>);
};

/** What every universal attack must do, on toy models. */
export const universalChecks: Readonly<Record<string, Check<UniversalSubject>>> = {
  ...attackFacts,

  async 'asks no more than its cost says'(subject) {
    const cost = subject.attack.cost?.(subject.options as never);
    if (cost === undefined) return;
    const given = trial(subject);
    const { gradients, queries } = await fitOn(subject, given);
    const samples = half(given.toy, 0).length;
    ensure(
      gradients <= samples * cost.gradients && queries <= samples * cost.queries,
      `Unexpected ${gradients} gradients and ${queries} queries for ${samples} samples, expected at most ${cost.gradients} and ${cost.queries} for each.`,
    );
  },

  async 'leaves samples alone'(subject) {
    const given = trial(subject);
    const { x } = given.toy;
    const before = like(x, x.data.slice());
    const data = new Set<Tensor>();
    const watching: Universal = {
      ...subject.attack,
      fit: (job: FitJob<never, never>) => {
        const pass = async function* (size: number) {
          for await (const batch of job.data.pass(size)) {
            const kept = like(batch.x, batch.x.data.slice());
            yield batch;
            if (!same(kept, batch.x)) data.add(batch.x);
          }
        };
        return subject.attack.fit({ ...job, data: { ...job.data, pass } });
      },
    };
    const fitted = await fitOn({ ...subject, attack: watching }, given);
    applied(subject, fitted, x);
    ensure(
      same(x, before) && data.size === 0,
      `Unexpected change of samples by ${subject.attack.id}, expected new arrays only.`,
    );
  },

  async 'fits the same for the same seed'(subject) {
    const [one, other] = [await fitOn(subject, trial(subject)), await fitOn(subject, trial(subject))];
    ensure(
      words(one) === words(other),
      'Unexpected difference between two fits with seed 0, expected the same numbers.',
    );
  },

  async 'keeps nothing but its artifact'(subject) {
    const given = trial(subject);
    const fitted = await fitOn(subject, given);
    const first = applied(subject, fitted, given.toy.x);
    await fitOn(subject, { ...given, seed: 1, epsilon: given.epsilon / 2 });
    const artifact = Object.fromEntries(
      Object.entries(fitted.artifact).map(([name, { data, shape }]) => [
        name,
        { data: data.slice(), shape: [...shape] },
      ]),
    );
    ensure(
      same(first, applied(subject, { artifact }, given.toy.x)),
      'Unexpected other points from a copy of the artifact after another fit, expected all that matters in it.',
    );
  },

  async 'treats each sample by itself, whatever the batch'(subject) {
    const given = trial(subject);
    const { x } = given.toy;
    const fitted = await fitOn(subject, given);
    const of = [4, 1, 3];
    ensure(
      same(take(applied(subject, fitted, x), of), applied(subject, fitted, take(x, of), { of })),
      'Unexpected change of a sample when its batch changes, expected each by itself. Draw from random[i].',
    );
  },

  async 'draws where it says so, and nowhere else'(subject) {
    const given = trial(subject);
    const fitted = await fitOn(subject, given);
    const draw = (key: string) => applied(subject, fitted, given.toy.x, { key });
    const drawn = !same(draw('a'), draw('b'));
    ensure(
      drawn === (subject.attack.random === true) && same(draw('a'), draw('a')),
      `Unexpected ${drawn ? 'difference' : 'equality'} between streams, expected what \`random\` says.`,
    );
  },

  async 'stays in the ball on samples that it never saw'(subject) {
    const { toy } = trial(subject);
    const x = like(
      toy.x,
      toy.x.data.map((value, i) => (i % 2 ? Math.round(value) : value)),
    );
    for (const share of [0.25, 1]) {
      const given = trial(subject, { epsilon: share * EPSILON[subject.norm] });
      const points = applied(subject, await fitOn(subject, given), x);
      const inBox = like(
        points,
        points.data.map((value) => Math.min(1, Math.max(0, value))),
      );
      const around = ball({ ...given, norm: subject.norm, box: toy.box, centre: x });
      for (let i = 0; i < rows(x); i++) {
        ensure(
          around.contains(row(inBox, i), i),
          `Unexpected point of sample ${i} outside the ${subject.norm} ball of ${given.epsilon}, expected an artifact that fits in it.`,
        );
      }
    }
  },

  async 'breaks more than random noise of the same size'(subject) {
    const given = trial(subject);
    const { of, broken } = await brokenBy(subject, given, await fitOn(subject, given));
    const noise: Universal = {
      ...subject.attack,
      random: true,
      apply: ({ x, random }: ApplyJob) =>
        ball({ ...given, norm: subject.norm, box: given.toy.box, centre: x }).sample(random),
    };
    const lucky = await brokenBy({ ...subject, attack: noise }, given, { artifact: {} });
    ensure(
      broken.length >= lucky.broken.length + 0.2 * of.length,
      `Unexpected ${broken.length} of ${of.length} broken that it never saw, expected many more than the ${lucky.broken.length} of random noise.`,
    );
  },

  async 'drives to a target'(subject) {
    const given = trial(subject, { target: 2 });
    const { of, broken } = await brokenBy(subject, given, await fitOn(subject, given));
    ensure(
      broken.length >= 0.5 * of.length,
      `Unexpected ${broken.length} of ${of.length} driven to a target, expected most of them.`,
    );
  },

  async 'reaches the optimum of a linear model'(subject) {
    // Away from class 0 leads one direction alone, so that one perturbation is the best for each of its samples.
    const toy = linearToy();
    const epsilon = typicalEpsilon(subject.norm);
    const given = trial(subject, { toy, epsilon, target: 1 });
    const { of, broken } = await brokenBy(subject, given, await fitOn(subject, given));
    for (const i of of) {
      const exact = toy.distance(i, subject.norm);
      if (Math.abs(exact / epsilon - 1) < 0.05) continue;
      ensure(
        broken.includes(i) === exact < epsilon,
        `Unexpected sample ${i} ${broken.includes(i) ? 'broken' : 'held'} at ${epsilon}, expected the opposite: its boundary is ${exact} away.`,
      );
    }
  },

  async 'stops when it is told to'(subject) {
    const stop = new AbortController();
    const given = trial(subject, { signal: stop.signal });
    let [calls, after] = [0, 0];
    const attack: Universal = {
      ...subject.attack,
      fit: (job: FitJob<never, never>) => {
        // Counted before the engine refuses them: an attack that catches errors would go on calling.
        const told = Object.entries(job.model as object).map(([name, value]) => [
          name,
          typeof value !== 'function'
            ? (value as unknown)
            : (...args: unknown[]) => {
                if (stop.signal.aborted) after++;
                if (++calls === 2) stop.abort();
                return (value as (...args: unknown[]) => unknown)(...args);
              },
        ]);
        return subject.attack.fit({ ...job, model: Object.fromEntries(told) as never });
      },
    };
    await fitOn({ ...subject, attack }, given).catch(() => undefined);
    ensure(
      after <= 1,
      `Unexpected ${after} model calls after an abort, expected the first to end the fit. Do not catch errors of model calls.`,
    );
  },
};

const words = ({ artifact }: Fitted) =>
  JSON.stringify(Object.entries(artifact).map(([name, { data, shape }]) => [name, [...data], shape]));

/**
 * Registers every check of `universalChecks` for every norm of a universal attack.
 *
 * @param settings.options options to test with; the defaults of the schema otherwise.
 * @param settings.norms some of its norms; all otherwise.
 * @param settings.skip checks that do not hold for this attack, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testUniversal(
  attack: Universal,
  settings: Registration & { options?: Record<string, unknown>; norms?: readonly BallNorm[] } = {},
): void {
  const { options = {}, norms = attack.norms } = settings;
  for (const norm of norms) {
    register(`${attack.id} in ${norm}`, universalChecks, settings, async () => ({
      attack,
      norm,
      options: await parseOptions(attack.options, options, attack.id),
    }));
  }
}
