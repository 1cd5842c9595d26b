import {
  ABSTAIN,
  type Certificate,
  type Certifier,
  type CertifierJob,
  type GradientModel,
  lossAt,
  type Proof,
  type Wrapper,
  type WrapperJob,
} from '@gauntlet/core';
import { logOdds } from '@gauntlet/kit';
import { ball, type BallNorm, distance, like, row, rows, stream, take, within } from '@gauntlet/tensor';
import { type Check, ensure } from './runner.js';
import { same } from './same.js';
import { curvedToy, linearToy, type Toy } from './toys.js';

/** Whose certificates are checked: those of a certifier, or of a wrapper about its own answers. */
export interface ProofSubject {
  readonly defence: Certifier | Wrapper;
  readonly options: unknown;
}

type AnyProof = Proof<WrapperJob<never> & CertifierJob<never>>;

const STEPS = 30;
const curved = curvedToy(20);
const linear = linearToy();

/** The proof of a subject on a toy: its model and its certificates for the toy's samples, or for some of them. */
function prove({ defence, options }: ProofSubject, { model: inner, x, y, box }: Toy) {
  const proof = defence.certificate as AnyProof | undefined;
  const noise = (key: string) => (of: readonly number[]) => of.map((i) => stream('proof', key, i));
  const models = [
    inner,
    ...(defence.kind === 'wrapper' && defence.models === 'several' ? [inner] : []),
  ] as const;
  const wrapping = { models, options, noise: noise('answers') } as unknown as WrapperJob<never>;
  const model = (defence.kind === 'wrapper' ? defence.wrap(wrapping) : inner) as GradientModel;
  return {
    model,
    proof,
    async certify(
      norm: BallNorm,
      epsilon: number,
      { answers = y, of = [...y.keys()] }: { answers?: Int32Array; of?: readonly number[] } = {},
    ): Promise<readonly Certificate[]> {
      const job: CertifierJob & WrapperJob = {
        ...(wrapping as unknown as WrapperJob),
        model,
        x: of.length === rows(x) ? x : take(x, of),
        answers: Int32Array.from(of, (i) => answers[i]!),
        norm,
        epsilon,
        box,
        options,
        random: noise('certificates')(of),
        signal: new AbortController().signal,
      };
      return proof!.certify(job as never);
    },
  };
}

const radiusOf = (one: Certificate) => (one.outcome === 'robust' ? one.radius : 0);
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** What every proof must do. Each check throws a sentence when it fails; a wrapper without a certificate passes. */
export const proofChecks: Readonly<Record<string, Check<ProofSubject>>> = {
  async 'says what its certificates are worth'(subject) {
    const { proof } = prove(subject, linear);
    const words = proof?.words(subject.options as never);
    ensure(
      words === undefined || /^[A-Z].*\.$/.test(words),
      `Unexpected words "${words}", expected a sentence.`,
    );
  },

  async 'certifies no farther than the boundary of a linear model'(subject) {
    await onLinear(subject, (norm, epsilon, certificates) => {
      const beyond = certificates.flatMap((one, i) => {
        const boundary = linear.distance(i, norm);
        return radiusOf(one) > boundary * (1 + 1e-6) ? [{ i, radius: radiusOf(one), boundary }] : [];
      });
      // A proof by chance may be wrong once.
      const most = subject.defence.kind === 'wrapper' ? 1 : 0;
      const [first] = beyond;
      ensure(
        first === undefined || beyond.length <= most,
        `Unexpected radius beyond the known distance for ${beyond.length} samples (${norm}, epsilon ${epsilon}; of sample ${first?.i} ${first?.radius}, and its boundary is ${first?.boundary} away), expected none.`,
      );
    });
  },

  async 'certifies what is well within'(subject) {
    const { proof, certify } = prove(subject, linear);
    for (const norm of proof?.norms ?? []) {
      const all = [...linear.y.keys()].map((i) => linear.distance(i, norm));
      const certificates = await certify(norm, median(all) / 4);
      const certified = certificates.filter((one) => radiusOf(one) > 0).length;
      ensure(
        certified >= 0.4 * all.length,
        `Unexpected ${certified} of ${all.length} samples certified within a quarter of their median distance (${norm}), expected four in ten.`,
      );
    }
  },

  async 'certifies no other answer than the model gives'(subject) {
    for (const answers of [linear.y.map((label) => 1 - label), linear.y.map(() => ABSTAIN)]) {
      await onLinear(
        subject,
        (norm, epsilon, certificates) => {
          const wrong = certificates.filter(({ outcome }) => outcome === 'robust').length;
          ensure(
            wrong === 0,
            `Unexpected ${wrong} certificates for answers that the model does not give (${norm}, epsilon ${epsilon}), expected none.`,
          );
        },
        answers,
      );
    }
  },

  async 'certifies each sample by itself, and leaves the input alone'(subject) {
    const toy = { ...linear, x: like(linear.x, linear.x.data.slice()) };
    const { proof, certify } = prove(subject, toy);
    for (const norm of proof?.norms ?? []) {
      const epsilon = linear.distance(0, norm) / 2;
      const whole = await certify(norm, epsilon);
      const of = [4, 1, 3];
      const part = await certify(norm, epsilon, { of });
      ensure(
        JSON.stringify(part) === JSON.stringify(of.map((i) => whole[i])),
        'Unexpected other certificate of a sample in another batch, expected the same. Draw from random[i].',
      );
    }
    ensure(same(toy.x, linear.x), 'Unexpected change of the input, expected new arrays only.');
  },

  async 'certifies nothing that an attack breaks'(subject) {
    const { proof, certify, model } = prove(subject, curved);
    const { x, y, box } = curved;
    const loss = logOdds({ kind: 'untargeted', classes: y, confidence: 0 });
    for (const norm of proof?.norms ?? []) {
      const certificates = await certify(norm, { linf: 0.005, l2: 0.02, l1: 0.05, l0: 1 }[norm]);
      for (const [i, certificate] of certificates.entries()) {
        const radius = radiusOf(certificate);
        if (radius === 0) continue;
        const own = { of: [i] };
        const around = ball({ norm, epsilon: radius, centre: take(x, [i]), box });
        let at = around.sample([stream('attack', i)]);
        for (let step = 0; step < STEPS; step++)
          at = around.step(at, (await curved.model.gradient(at, lossAt(loss, [i]), own)).gradient, 0.2);
        const [label] = await model.labels(at, own);
        ensure(
          label === y[i] || label === ABSTAIN,
          `Unexpected answer ${label} to sample ${i} within its certified radius ${radius} (${norm}), expected ${y[i]}.`,
        );
      }
    }
  },

  async 'gives witnesses that break'(subject) {
    const { proof, certify, model } = prove(subject, curved);
    for (const norm of proof?.norms ?? []) {
      const epsilon = { linf: 0.3, l2: 1, l1: 4, l0: 8 }[norm];
      for (const [i, certificate] of (await certify(norm, epsilon)).entries()) {
        if (certificate.outcome !== 'broken') continue;
        const { witness } = certificate;
        const [lo, hi] = curved.box;
        const far = distance(witness, row(curved.x, i), norm);
        ensure(
          within(far, epsilon) && witness.every((value) => value >= lo && value <= hi),
          `Unexpected witness at distance ${far} (${norm}), expected it in the box and within ${epsilon}.`,
        );
        const [label] = await model.labels({ data: witness, shape: [1, witness.length] }, { of: [i] });
        ensure(label !== curved.y[i], `Unexpected answer ${label} to a witness, expected another class.`);
      }
    }
  },
};

/** Looks at the certificates of the linear toy in every norm, at radii below, near and beyond the median distance. */
async function onLinear(
  subject: ProofSubject,
  look: (norm: BallNorm, epsilon: number, certificates: readonly Certificate[]) => void,
  answers = linear.y,
): Promise<void> {
  const { proof, certify } = prove(subject, linear);
  for (const norm of proof?.norms ?? []) {
    const middle = median([...linear.y.keys()].map((i) => linear.distance(i, norm)));
    const shares = proof!.finds === 'largest' ? [1] : [0.5, 0.98, 1.02, 2];
    for (const share of shares) {
      const certificates = await certify(norm, share * middle, { answers });
      ensure(
        certificates.length === rows(linear.x),
        `Unexpected ${certificates.length} certificates, expected one for each of ${rows(linear.x)} samples.`,
      );
      look(norm, share * middle, certificates);
    }
  }
}
