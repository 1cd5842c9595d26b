import { count, counted, describeThreat, duration, shortName } from '@gauntlet/core';
import { titleOf } from '@gauntlet/gate';
import { fittedLines, pacesOf } from '../budget.js';
import { checkConfig } from '../check-config.js';
import { auditsOf } from '../config-audits.js';
import { type Estimate, estimate, fitAll, withExtent } from '../estimate.js';
import { untilAborted } from '../interrupt.js';
import { loadConfig } from '../load-config.js';
import { createPlugins } from '../plugins.js';
import { prepare, type Prepared } from '../prepare.js';
import type { AuditRequest } from '../request.js';
import type { Terminal } from '../terminal.js';
import { align, wrap } from '../layout.js';

/** What `gauntlet explain` was asked to do. */
export interface ExplainRequest {
  /** An audit, or the configuration of a gate (null: that of the working folder). */
  readonly of: { readonly audit: AuditRequest } | { readonly config: string | null };
  /** Seconds that the plan shall take at most. */
  readonly budget: number | null;
  readonly json: boolean;
}

/** Runs `gauntlet explain`: prints what would be run and the most that it costs. Nothing is attacked but for a moment, and nothing is written. */
export async function explain(request: ExplainRequest, terminal: Terminal): Promise<void> {
  const { audits, folder } = await auditsIn(request, terminal.cwd);
  const planned: Planned[] = [];
  for (const { title, request: audit } of audits) {
    const prepared = await untilAborted(terminal.signal, prepare(audit, createPlugins(folder), terminal));
    try {
      planned.push({ title, assembled: prepared.assembled, paces: await pacesOf(prepared, terminal) });
    } finally {
      await prepared.close();
    }
  }
  const extent = request.budget === null ? null : fitAll(planned, request.budget);
  const fitted =
    extent === null
      ? planned
      : planned.map((one) => ({ ...one, assembled: withExtent(one.assembled, extent) }));
  const parts = fitted.map(({ title, assembled, paces }) => ({
    title,
    plan: assembled.plan,
    estimates: estimate(assembled, paces),
  }));
  if (request.json) {
    terminal.out(`${JSON.stringify({ audits: parts, ...(extent && { fitted: extent }) }, null, 2)}\n`);
    return;
  }
  const lines = parts.flatMap(({ title, plan, estimates }) => [
    `${title}: ${plan.model.name}, ${counted(plan.data.samples, 'sample')} of ${plan.data.name}, ${counted(plan.restarts, 'restart')}, seed ${plan.seed}`,
    ...wrap(describeThreat(plan.threatModel)),
    '',
    ...tableOf(estimates),
    '',
  ]);
  const plans = planned.map(({ assembled }) => assembled.plan);
  const fit = extent === null ? [] : ['', ...fittedLines(plans, extent)];
  terminal.out([...lines, ...wrap(WORDS), ...fit, ''].join('\n'));
}

const WORDS =
  'Counts and times are the most that can be: samples that are misclassified or broken end early. Times follow from half a second of each attack on this machine.';

interface Planned {
  readonly title: string;
  readonly assembled: Prepared['assembled'];
  readonly paces: readonly number[];
}

async function auditsIn({ of }: ExplainRequest, cwd: string) {
  if ('audit' in of) return { audits: [{ title: 'The plan', request: of.audit }], folder: cwd };
  const found = await loadConfig(cwd, of.config);
  const plugins = createPlugins(found.folder);
  const audits = await auditsOf(await checkConfig(found, plugins), found.folder, plugins);
  return {
    audits: audits.map((audit) => ({ title: titleOf(audit), request: audit.request })),
    folder: found.folder,
  };
}

function tableOf(estimates: readonly Estimate[]): string[] {
  const total = (of: (one: Estimate) => number | null) =>
    estimates.reduce<number | null>((sum, one) => {
      const value = of(one);
      return sum === null || value === null ? null : sum + value;
    }, 0);
  const passes = ({ gradients, queries }: Pick<Estimate, 'gradients' | 'queries'>) =>
    gradients === null || queries === null ? null : Math.max(0, queries - gradients);
  const cells = (name: string, runs: string, one: Omit<Estimate, 'attack' | 'runs'>) => [
    name,
    runs,
    ...[passes(one), one.gradients, one.queries].map((n) => (n === null ? 'not stated' : count(n))),
    one.seconds === null ? 'unknown' : duration(one.seconds),
  ];
  return align([
    ['attack', 'runs', 'forward passes', 'gradients', 'queries', 'time'],
    ...estimates.map((one) => cells(shortName(one.attack), String(one.runs), one)),
    cells('all', '', {
      gradients: total((one) => one.gradients),
      queries: total((one) => one.queries),
      seconds: total((one) => one.seconds),
    }),
  ]);
}
