import { join, parse, resolve } from 'node:path';
import {
  apply,
  type CertificateMetric,
  type Clean,
  type Certified,
  certifiedShardCount,
  certify,
  type Metric,
  type Plan,
  type Row,
  shardCount,
} from '@gauntlet/core';
import type { AuditJson } from './audit-json.js';
import { fitInto } from './budget.js';
import { interrupted, untilAborted } from './interrupt.js';
import { measure } from './metrics.js';
import type { Plugins } from './plugins.js';
import { prepare, type Prepared } from './prepare.js';
import { showProgress } from './progress.js';
import type { AuditRequest } from './request.js';
import { openRunFolder, type RunFolder } from './run-folder.js';
import { summarise } from './summary.js';
import type { Terminal } from './terminal.js';

/** What an audit needs besides its request. */
export interface Lab {
  readonly plugins: Plugins;
  readonly metrics: readonly (Metric | CertificateMetric)[];
  /** Of this command. */
  readonly version: string;
}

/** A finished audit. */
export interface Audited {
  readonly verdict: AuditJson;
  readonly rows: readonly Row[];
  readonly certificates: readonly Certified[];
  /** Where its files are, as the user named it, and what they are called. */
  readonly folder: string;
  readonly files: readonly string[];
}

/** Checks everything, attacks, and publishes the results in the folder of the run. */
export async function runAudit(request: AuditRequest, lab: Lab, terminal: Terminal): Promise<Audited> {
  const prepared = await untilAborted(terminal.signal, prepare(request, lab.plugins, terminal));
  try {
    return await runPrepared(await fitted(prepared, request, terminal), request, lab, terminal);
  } finally {
    await prepared.close();
  }
}

/** An audit that fits into its budget. */
async function fitted(
  prepared: Prepared,
  { budget, out, overwrite }: AuditRequest,
  terminal: Terminal,
): Promise<Prepared> {
  if (budget === null) return prepared;
  const [cut] = await fitInto(budget, [{ prepared, folder: overwrite ? null : out }], terminal);
  return cut!;
}

/** Runs an audit that is checked already. */
export async function runPrepared(
  prepared: Prepared,
  request: AuditRequest,
  lab: Lab,
  terminal: Terminal,
): Promise<Audited> {
  for (const notice of prepared.notices) terminal.err(`gauntlet: ${notice}\n`);
  const { assembled } = prepared;
  const versions = versionsOf(lab);
  const name = parse(assembled.plan.model.name).name;
  const folder = request.out ?? join('gauntlet-out', `${name}-${timestamp()}`);
  const run = await openRunFolder(resolve(terminal.cwd, folder), {
    name: folder,
    plan: `${JSON.stringify(recordOf(prepared, request, versions), null, 2)}\n`,
    shape: assembled.dataset.shape,
    overwrite: request.overwrite,
  });
  const work = { prepared, run, request, folder, versions, metrics: lab.metrics };
  const verdict = await runAll(work, terminal).finally(run.close);
  return { verdict, rows: run.rows, certificates: run.certificates, folder, files: run.files() };
}

/** The versions of the packages that take part. */
export const versionsOf = ({ plugins, version }: Pick<Lab, 'plugins' | 'version'>) => ({
  '@gauntlet/cli': version,
  ...plugins.versions(),
});

/** What `plan.json` holds: all that decides what the rows will be, and what a report needs to show them. */
export const recordOf = (
  { assembled, engine, externalData, source, classes }: Prepared,
  { input }: Pick<AuditRequest, 'input'>,
  versions: Readonly<Record<string, string>>,
): Plan & Readonly<Record<string, unknown>> => ({
  ...assembled.plan,
  engine,
  externalData,
  source,
  shape: assembled.dataset.shape,
  ...(classes && { classes }),
  input,
  versions,
});

interface Work {
  readonly prepared: Prepared;
  readonly run: RunFolder;
  readonly request: AuditRequest;
  readonly folder: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly metrics: readonly (Metric | CertificateMetric)[];
}

/** Runs what is left of a run, and publishes its results. */
async function runAll(work: Work, terminal: Terminal): Promise<AuditJson> {
  const { prepared, run, request, folder, versions, metrics } = work;
  const { assembled, notRun } = prepared;
  const { signal, now } = terminal;
  const verdict = (): AuditJson => ({
    ...summarise(assembled, run, { notRun, versions: { ...versions, node: process.versions.node } }),
    ...(metrics.length > 0 && { metrics: measure(metrics, run.rows, run.certificates) }),
  });
  if (run.complete) {
    terminal.err(`gauntlet: ${folder} holds this run, finished: nothing was run again.\n`);
    return verdict();
  }
  const shards = shardCount(assembled) + certifiedShardCount(assembled);
  const progress = showProgress(shards, run.done.size, {
    write: terminal.err,
    terminal: terminal.interactive.err,
    now,
  });
  try {
    const done = (key: string) => run.done.has(key);
    const io = { signal, now, done, clean: new Map<number, Clean>(), artifacts: run.artifacts };
    // What cannot be certified says so at once, before hours of attacks.
    for (const part of [certify(assembled, io), apply(assembled, io)]) {
      for await (const shard of part) {
        await run.append(shard);
        progress.advance();
      }
    }
  } catch (cause) {
    if (!signal.aborted) throw cause;
    const how = `with --out ${folder}${request.overwrite ? ' and without --overwrite' : ''}`;
    const rest = `${run.rows.length} rows are finished. Run the same command ${how} to go on.`;
    throw interrupted(rest, cause);
  } finally {
    progress.end();
  }
  await run.finish(verdict());
  return verdict();
}

const timestamp = () => new Date().toISOString().slice(0, 19).replaceAll(':', '-');
