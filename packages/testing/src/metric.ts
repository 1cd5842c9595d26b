import {
  ABSTAIN,
  type CertificateMetric,
  type Certified,
  type Metric,
  type PluginFacts,
  type Row,
} from '@gauntlet/core';
import { ensureFacts } from './facts.js';
import { ensure, register, type Registration } from './runner.js';

/** A row for tests: a sample that held in linf at 0.1, but for what is given; one that is broken is so at its epsilon. */
export function madeRow(given: Partial<Row> = {}): Row {
  const { epsilon = 0.1, verdict = 'held' } = given;
  const broken = verdict === 'broken';
  return {
    model: 'model.onnx',
    sample: 0,
    attack: 'attack/test',
    finds: 'within-budget',
    norm: 'linf',
    epsilon,
    label: 0,
    target: null,
    clean: verdict === 'misclassified' ? 1 : 0,
    adversarial: broken || verdict === 'misclassified' ? 1 : 0,
    verdict,
    distance: broken ? distances(epsilon) : null,
    queries: 1,
    gradients: 0,
    seconds: 0,
    seed: 0,
    ...given,
  };
}

const distances = (far: number) => ({ l0: 1, l1: far, l2: far, linf: far });

/** Rows of every kind: two attacks, one of each find, at two epsilons, with every verdict. */
const rows: readonly Row[] = ['within-budget', 'smallest'].flatMap((finds) =>
  [0.1, 0.2].flatMap((epsilon) =>
    (['held', 'broken', 'misclassified', 'broken', 'exempt'] as const).map((verdict, sample) =>
      madeRow({
        ...{ finds: finds as Row['finds'], epsilon, verdict, sample },
        attack: `attack/${finds}`,
        queries: 10 * sample + 1,
        surrogate: 'other.onnx',
      }),
    ),
  ),
);

/** A certificate for tests: robust up to 0.1 in linf, where it was asked at 0.1, but for what is given. */
export function madeCertified(given: Partial<Certified> = {}): Certified {
  const { epsilon = 0.1 } = given;
  return {
    model: 'model.onnx',
    certifier: 'certifier/test',
    sample: 0,
    norm: 'linf',
    epsilon,
    label: 0,
    answer: 0,
    certificate: { outcome: 'robust', radius: epsilon },
    seconds: 0,
    seed: 0,
    ...given,
  };
}

/** Certificates of every kind at two radii: of right and wrong answers, of one that is none, known and unknown. */
const certificates: readonly Certified[] = [0.1, 0.2].flatMap((epsilon) => {
  const all: Partial<Certified>[] = [
    {},
    { answer: 1 },
    { answer: ABSTAIN, certificate: { outcome: 'unknown', why: 'it abstains' } },
    { certificate: { outcome: 'broken', distance: 0.15 } },
    { certificate: { outcome: 'unknown', why: 'too wide' } },
  ];
  return all.map((one, sample) => madeCertified({ epsilon, sample, ...one }));
});

/** What is checked of a metric, over whatever it folds. */
export interface Fold<One> extends PluginFacts {
  /** What it says of rows or certificates, as data that JSON can hold. */
  over(records: readonly One[]): unknown;
}

/** The checks of a fold over these records. */
const checksOver = <One extends object>(
  records: readonly One[],
): Readonly<Record<string, (metric: Fold<One>) => void>> => ({
  'says who it is'(metric) {
    ensureFacts(metric, 'metric');
  },
  'gives the same value for rows in another order'(metric) {
    const value = (some: readonly One[]) => JSON.stringify(metric.over(some));
    ensure(
      value(records) === value([...records].reverse()),
      `Unexpected other value of ${metric.id} for reversed rows, expected the same.`,
    );
  },
  'leaves rows alone'(metric) {
    metric.over(Object.freeze(records.map((record) => frozen(record))));
  },
  'gives data that JSON can hold, of no rows too'(metric) {
    for (const some of [records, records.slice(0, 1), []]) {
      const value = metric.over(some);
      const text = JSON.stringify(value);
      ensure(
        text !== undefined && JSON.stringify(JSON.parse(text)) === text && !/NaN|Infinity/.test(words(value)),
        `Unexpected value ${words(value)} of ${metric.id} over ${some.length} rows, expected numbers, texts, lists and null.`,
      );
    }
  },
});

/** A copy that cannot be changed, in its parts neither. */
const frozen = <T extends object>(record: T): T =>
  Object.freeze(
    Object.fromEntries(
      Object.entries(record).map(([name, value]) => [
        name,
        typeof value === 'object' && value !== null ? Object.freeze({ ...value }) : value,
      ]),
    ),
  ) as T;

/** What every metric must do. Each check throws a sentence when it fails. */
export const metricChecks = checksOver(rows);

/** What every metric over certificates must do. Each check throws a sentence when it fails. */
export const certificateMetricChecks = checksOver(certificates);

/** The value as text in which numbers that JSON would lose can be seen. */
const words = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'number' && !Number.isFinite(one) ? String(one) : one,
  );

/**
 * Registers every check of `metricChecks`, or of `certificateMetricChecks` for a metric over certificates.
 *
 * @param settings.skip checks that do not hold for this metric, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testMetric(metric: Metric | CertificateMetric, settings: Registration = {}): void {
  if (metric.kind === 'metric') register(metric.id, metricChecks, settings, () => metric);
  else register(metric.id, certificateMetricChecks, settings, () => metric);
}
