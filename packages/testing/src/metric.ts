import { asPlugin, type Metric, type Row } from '@gauntlet/core';
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

/** What every metric must do. Each check throws a sentence when it fails. */
export const metricChecks: Readonly<Record<string, (metric: Metric) => void>> = {
  'says who it is'(metric) {
    asPlugin(metric, 'the metric under test');
    ensure(
      /^metric\/[a-z0-9-]+$/.test(metric.id) && metric.summary.endsWith('.'),
      `Unexpected id ${metric.id} or summary, expected metric/<name in lower case> and one sentence.`,
    );
  },
  'gives the same value for rows in another order'(metric) {
    const value = (some: readonly Row[]) => JSON.stringify(metric.over(some));
    ensure(
      value(rows) === value([...rows].reverse()),
      `Unexpected other value of ${metric.id} for reversed rows, expected the same.`,
    );
  },
  'leaves rows alone'(metric) {
    const frozen = Object.freeze(
      rows.map((row) => Object.freeze({ ...row, distance: row.distance && Object.freeze(row.distance) })),
    );
    metric.over(frozen);
  },
  'gives data that JSON can hold, of no rows too'(metric) {
    for (const some of [rows, rows.slice(0, 1), []]) {
      const value = metric.over(some);
      const text = JSON.stringify(value);
      ensure(
        text !== undefined && JSON.stringify(JSON.parse(text)) === text && !/NaN|Infinity/.test(words(value)),
        `Unexpected value of ${metric.id} over ${some.length} rows, expected numbers, texts, lists and null.`,
      );
    }
  },
};

/** The value as text in which numbers that JSON would lose can be seen. */
const words = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'number' && !Number.isFinite(one) ? String(one) : one,
  );

/**
 * Registers every check of `metricChecks`.
 *
 * @param settings.skip checks that do not hold for this metric, each with the reason.
 * @param settings.runner describe and it of your test runner; the global ones otherwise.
 */
export function testMetric(metric: Metric, settings: Registration = {}): void {
  register(metric.id, metricChecks, settings, () => metric);
}
