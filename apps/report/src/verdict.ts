import { count, describeTimeBudget, percent, range, short, shortName } from '@gauntlet/core';
import type { Findings } from './findings.js';
import { planned } from './read-run.js';

/** The verdict in words: what is left of the accuracy, under all attacks that were run, at the largest epsilon. */
export function verdictOf({ run, samples, clean, worst, targeted }: Findings): string {
  const { plan, rows, audit } = run;
  const { epsilon, robustAccuracy, interval } = worst.points.at(-1)!;
  const unfinished =
    audit === null
      ? `The run is not finished: ${count(rows.length)} of ${count(planned(plan))} rows are there. `
      : '';
  const what = targeted
    ? `the share of tried samples that was not driven to its target is ${percent(robustAccuracy)}`
    : `the robust accuracy is ${percent(robustAccuracy)}`;
  const defences = (plan.defences ?? []).map(({ use }) => shortName(use));
  const defended = defences.length === 0 ? '' : ` The model is defended by ${defences.join(', ')}.`;
  const cut = (plan.budget && describeTimeBudget(plan.budget)) ?? '';
  return (
    `${unfinished}Of ${count(samples)} samples of ${plan.data.name}, ${percent(clean)} are classified correctly; against all attacks that were run, ` +
    `at epsilon ${short(epsilon)} (${plan.threatModel.norm}), ${what}, 95% interval ${range(interval)}.${defended}${cut && ` ${cut}`}`
  );
}
