import { ABSTAIN, type Certified, defineCertificateMetric } from '@gauntlet/core';
import { clopperPearson } from '@gauntlet/kit';

/** What is proven of the samples at one radius. */
export interface AtRadius {
  readonly epsilon: number;
  /** Answered correctly, and proven to be so within the radius: of all samples. Null where there are none. */
  readonly certified: number | null;
  /** Two-sided 95% Clopper-Pearson interval of `certified`: the error of sampling, and of nothing else. */
  readonly interval: readonly [lo: number, hi: number];
  /** Samples answered correctly, of which a point within the radius is known that is not. */
  readonly broken: number;
  /** Samples answered correctly, of which neither is known. */
  readonly unknown: number;
}

/** How much of a model's accuracy is proven. */
export interface CertifiedAccuracy {
  readonly samples: number;
  /** Answered correctly, of all samples; null where there are none. */
  readonly clean: number | null;
  /** Samples that got no answer. They count as wrong. */
  readonly abstained: number;
  /** At every radius that was asked about, ascending. */
  readonly at: readonly AtRadius[];
  /** The mean over all samples of the largest certified radius, 0 for wrong answers (Zhai et al. 2020, equation 7); null where there are none. */
  readonly meanRadius: number | null;
}

/**
 * Certified accuracy (Cohen et al. 2019, section 4): samples that are answered correctly and certified at a radius, of all. A certificate
 * holds for every smaller radius, a witness for every larger one.
 */
export default defineCertificateMetric<CertifiedAccuracy>({
  id: 'metric/certified-accuracy',
  summary: 'Accuracy that is proven at each radius.',
  over(certificates) {
    const samples = samplesOf(certificates);
    const right = samples.filter(({ correct }) => correct);
    const count = (radius: number) => right.filter(({ proven }) => proven >= radius).length;
    const share = (of: number) => (samples.length === 0 ? null : of / samples.length);
    const radii = [...new Set(certificates.map(({ epsilon }) => epsilon))].sort((a, b) => a - b);
    return {
      samples: samples.length,
      clean: share(right.length),
      abstained: samples.filter(({ answer }) => answer === ABSTAIN).length,
      at: radii.map((epsilon) => {
        const certified = count(epsilon);
        const broken = right.filter(({ witness }) => witness <= epsilon).length;
        return {
          epsilon,
          certified: share(certified),
          interval: clopperPearson(certified, samples.length),
          broken,
          unknown: right.length - certified - broken,
        };
      }),
      meanRadius: share(
        right
          .map(({ proven }) => Math.max(0, proven))
          .sort((a, b) => a - b)
          .reduce((sum, one) => sum + one, 0),
      ),
    };
  },
});

/** What all certificates of one sample say together. */
interface Sample {
  readonly answer: number;
  readonly correct: boolean;
  /** The largest radius that is certified; -Infinity where none is. */
  readonly proven: number;
  /** How far the nearest witness is; Infinity where there is none. */
  readonly witness: number;
}

function samplesOf(certificates: readonly Certified[]): Sample[] {
  const found = new Map<Certified['sample'], Sample>();
  for (const { sample, label, answer, certificate } of certificates) {
    const { proven = -Infinity, witness = Infinity } = found.get(sample) ?? {};
    found.set(sample, {
      ...{ answer, correct: answer === label },
      proven: certificate.outcome === 'robust' ? Math.max(proven, certificate.radius) : proven,
      witness: certificate.outcome === 'broken' ? Math.min(witness, certificate.distance) : witness,
    });
  }
  return [...found.values()];
}
