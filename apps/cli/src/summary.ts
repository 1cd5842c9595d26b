import { type Assembled, describeThreat, type Row, worstCase } from '@gauntlet/core';
import metric from '@gauntlet/metric-robust-accuracy';
import type { AuditJson } from './audit-json.js';

/** Folds the rows of a finished run into what `audit.json` holds. */
export function summarise(
  { plan, steps }: Pick<Assembled, 'plan' | 'steps'>,
  rows: readonly Row[],
  versions: Readonly<Record<string, string>>,
): AuditJson {
  const { norm, epsilons } = plan.threatModel;
  const every = worstCase(rows);
  const first = rows.filter((row) => row.attack === rows[0]!.attack && row.epsilon === rows[0]!.epsilon);
  return {
    model: { name: plan.model.name, sha256: plan.model.sha256 },
    data: { name: plan.data.name, samples: plan.data.samples },
    seed: plan.seed,
    clean: { accuracy: first.filter((row) => row.clean === row.label).length / first.length },
    threatModel: {
      words: describeThreat(plan.threatModel),
      ...plan.threatModel,
      epsilons: [...epsilons],
      box: [...plan.threatModel.box],
    },
    results: steps.flatMap(({ attack, options }) =>
      epsilons.map((epsilon) => {
        const own = rows.filter((row) => row.attack === attack.id && row.epsilon === epsilon);
        const { robustAccuracy, interval, successRate, distance, ...spent } = metric.over(own);
        return {
          attack: attack.id,
          norm,
          epsilon,
          options,
          robustAccuracy,
          interval: [...interval],
          successRate,
          distance,
          queries: spent.queries,
          gradients: spent.gradients,
          seconds: spent.seconds,
        };
      }),
    ),
    worstCase: epsilons.map((epsilon) => {
      const { robustAccuracy, interval } = metric.over(every.filter((row) => row.epsilon === epsilon));
      return { norm, epsilon, robustAccuracy, interval: [...interval] };
    }),
    versions,
  };
}
