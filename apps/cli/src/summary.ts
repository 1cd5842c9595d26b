import {
  type Assembled,
  type Certified,
  describeBackward,
  describeThreat,
  describeWay,
  type PlannedDefence,
  type Prover,
  type Row,
  worstCase,
} from '@gauntlet/core';
import certifiedAccuracy from '@gauntlet/metric-certified-accuracy';
import metric from '@gauntlet/metric-robust-accuracy';
import type { AuditJson } from './audit-json.js';
import type { NotRun } from './portfolio.js';

/** What a run has found. */
export interface Outcomes {
  readonly rows: readonly Row[];
  readonly certificates: readonly Certified[];
}

/** What is told besides. */
interface Told {
  readonly notRun: readonly NotRun[];
  readonly versions: Readonly<Record<string, string>>;
}

/** Folds the rows of a finished run into what `audit.json` holds. */
export function summarise(
  { plan, steps, provers = [] }: Pick<Assembled, 'plan' | 'steps' | 'provers'>,
  { rows, certificates }: Outcomes,
  { notRun, versions }: Told,
): AuditJson {
  const { defences = [], fit, budget } = plan;
  const { norm, epsilons, surrogates, ...threat } = plan.threatModel;
  const every = worstCase(rows);
  const first = [...new Map(rows.map((row) => [row.sample, row])).values()];
  const share = (of: (row: Row) => boolean) => first.filter(of).length / first.length;
  return {
    model: { name: plan.model.name, sha256: plan.model.sha256 },
    data: { name: plan.data.name, samples: plan.data.samples },
    seed: plan.seed,
    clean: {
      accuracy: share((row) => row.clean === row.label),
      ...(fit?.falseRejections !== undefined && { rejected: share((row) => row.rejected === true) }),
    },
    ...(defences.length > 0 && { defences: defences.map(told) }),
    ...(fit && { fit }),
    ...(budget && { budget }),
    threatModel: {
      words: describeThreat(plan.threatModel),
      ...threat,
      norm,
      epsilons: [...epsilons],
      ...(surrogates && { surrogates: [...surrogates] }),
      box: [...threat.box],
    },
    results: steps.flatMap(({ attack, options, on }) =>
      epsilons.map((epsilon) => {
        const own = rows.filter(
          (row) => row.attack === attack.id && row.surrogate === on && row.epsilon === epsilon,
        );
        const way = describeWay({ access: attack.access, on }, defences);
        const { robustAccuracy, interval, successRate, distance, ...spent } = metric.over(own);
        const fitted = own.find((row) => row.fit)?.fit;
        return {
          attack: attack.id,
          ...(on !== undefined && { on }),
          ...(way !== null && { way }),
          norm,
          epsilon,
          options,
          robustAccuracy,
          interval: [...interval],
          successRate,
          distance,
          queries: spent.queries,
          gradients: spent.gradients,
          ...(on !== undefined && { crafting: craftingOf(own) }),
          ...(fitted && { fit: fitted }),
          seconds: spent.seconds,
        };
      }),
    ),
    worstCase: epsilons.map((epsilon) => {
      const { robustAccuracy, interval } = metric.over(every.filter((row) => row.epsilon === epsilon));
      return { norm, epsilon, robustAccuracy, interval: [...interval] };
    }),
    ...(provers.length > 0 && { certified: provers.map((prover) => provenBy(prover, certificates)) }),
    ...(notRun.length > 0 && { notRun: [...notRun] }),
    versions,
  };
}

function provenBy({ id, words }: Prover, certificates: readonly Certified[]) {
  const { at, ...all } = certifiedAccuracy.over(certificates.filter(({ certifier }) => certifier === id));
  const points = at.map((point) => ({ ...point, interval: [...point.interval] as [number, number] }));
  return { certifier: id, words, ...all, at: points };
}

const told = ({ use, kind, options, backward, random, threshold }: PlannedDefence) => ({
  defence: use,
  kind,
  options,
  backward,
  words: describeBackward({ kind, backward, ...(random && { random }) }),
  ...(threshold !== undefined && { threshold }),
});

function craftingOf(rows: readonly Row[]) {
  const sum = (of: 'queries' | 'gradients') =>
    rows.reduce((total, { crafting }) => total + (crafting?.[of] ?? 0), 0);
  return { queries: sum('queries'), gradients: sum('gradients') };
}
