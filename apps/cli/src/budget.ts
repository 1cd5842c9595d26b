import { resolve } from 'node:path';
import { counted, type Extent, type Plan } from '@gauntlet/core';
import { each } from './each.js';
import { fitAll, withExtent } from './estimate.js';
import { untilAborted } from './interrupt.js';
import { paceOf } from './pace.js';
import type { Prepared } from './prepare.js';
import { recordedPlan } from './run-folder.js';
import type { Terminal } from './terminal.js';
import { isCount } from './values.js';
import { wrap } from './layout.js';

/** An audit that shares a budget of time with others. */
export interface Budgeted {
  readonly prepared: Prepared;
  /** The folder of its run, as the user named it; null where there is none yet, or it is to be replaced. */
  readonly folder: string | null;
}

/**
 * Prepared audits, cut to take no longer than some seconds together: as an earlier run of theirs was, so that it goes on although the machine is slower or
 * faster by now, or else by a trial of each attack. What is left of them is said on stderr.
 *
 * @throws GauntletError `input` where an attack has no known cost, or nothing fits.
 */
export async function fitInto(
  seconds: number,
  audits: readonly Budgeted[],
  terminal: Terminal,
): Promise<readonly Prepared[]> {
  const extent =
    (await recordedExtent(audits, seconds, terminal)) ?? (await triedExtent(audits, seconds, terminal));
  const plans = audits.map(({ prepared }) => prepared.assembled.plan);
  for (const line of fittedLines(plans, extent)) terminal.err(`gauntlet: ${line}\n`);
  return audits.map(({ prepared }) => {
    const { plan, ...rest } = withExtent(prepared.assembled, extent);
    const budget = { seconds, kept: extent, whole: extentOf(prepared.assembled.plan) };
    return { ...prepared, assembled: { ...rest, plan: { ...plan, budget } } };
  });
}

/** What an earlier run was cut to by the same budget. */
async function recordedExtent(
  audits: readonly Budgeted[],
  seconds: number,
  { cwd }: Terminal,
): Promise<Extent | null> {
  for (const { folder } of audits) {
    const budget = folder === null ? undefined : (await recordedPlan(resolve(cwd, folder)))?.budget;
    if (budget?.seconds === seconds && isExtent(budget.kept)) return budget.kept;
  }
  return null;
}

/** Whether a file that anyone may have written holds one. */
const isExtent = (value: Partial<Extent> | undefined): value is Extent =>
  [value?.samples, value?.restarts].every(isCount);

async function triedExtent(
  audits: readonly Budgeted[],
  seconds: number,
  terminal: Terminal,
): Promise<Extent> {
  const timed = await each(audits, async ({ prepared }) => ({
    assembled: prepared.assembled,
    paces: await pacesOf(prepared, terminal),
  }));
  return fitAll(timed, seconds);
}

/** The pace of each attack of a prepared audit. */
export const pacesOf = (
  { assembled }: Pick<Prepared, 'assembled'>,
  { now, signal }: Terminal,
): Promise<readonly number[]> =>
  each(assembled.steps, (step) => untilAborted(signal, paceOf(assembled, step, now)));

const extentOf = ({ data, restarts }: Plan): Extent => ({ samples: data.samples, restarts });

/** What a budget makes of plans. */
export function fittedLines(plans: readonly Plan[], { samples, restarts }: Extent): string[] {
  const cut = plans.map(extentOf).some((whole) => whole.samples > samples || whole.restarts > restarts);
  if (!cut) return ['The whole plan fits into the budget.'];
  const words = `Fitted into the budget: ${counted(samples, 'sample')}, ${counted(restarts, 'restart')} (--limit ${samples} --restarts ${restarts}). Samples were cut first, down to 100, then restarts; attacks keep all their options.`;
  return wrap(words);
}
