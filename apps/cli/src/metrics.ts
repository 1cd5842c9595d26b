import { type CertificateMetric, type Certified, type Metric, type Row, runOf } from '@gauntlet/core';
import type { AuditJson } from './audit-json.js';
import { createPlugins } from './plugins.js';

type Measured = NonNullable<AuditJson['metrics']>[number];

/** Metrics by name. They are loaded apart from other plugins: they decide no row, so that a finished run can be measured again. */
export async function metricsOf(
  names: readonly string[],
  cwd: string,
): Promise<readonly (Metric | CertificateMetric)[]> {
  const plugins = createPlugins(cwd);
  return Promise.all(names.map((name) => plugins.metric(name)));
}

/** The values of metrics over a run, each over the rows or certificates that it asks for. */
export const measure = (
  metrics: readonly (Metric | CertificateMetric)[],
  rows: readonly Row[],
  certificates: readonly Certified[] = [],
): Measured[] =>
  metrics.flatMap((metric) =>
    metric.kind === 'metric' ? overRows(metric, rows) : overCertificates(metric, certificates),
  );

function overRows(metric: Metric, rows: readonly Row[]): Measured[] {
  const of = (own: readonly Row[], attack: string | null, epsilon: number | null): Measured => ({
    metric: metric.id,
    attack,
    epsilon,
    value: metric.over(own),
  });
  if (metric.per === 'run') return [of(rows, null, null)];
  return distinct(rows.map(runOf)).flatMap((run) => {
    const own = rows.filter((row) => runOf(row) === run);
    if (metric.per === 'attack') return [of(own, run, null)];
    return distinct(own.map(({ epsilon }) => epsilon)).map((epsilon) =>
      of(
        own.filter((row) => row.epsilon === epsilon),
        run,
        epsilon,
      ),
    );
  });
}

const overCertificates = (metric: CertificateMetric, certificates: readonly Certified[]): Measured[] =>
  distinct(certificates.map(({ certifier }) => certifier)).map((certifier) => ({
    metric: metric.id,
    certifier,
    attack: null,
    epsilon: null,
    value: metric.over(certificates.filter((one) => one.certifier === certifier)),
  }));

const distinct = <T>(all: readonly T[]) => [...new Set(all)];
