import { join, parse, resolve } from 'node:path';
import { apply, type Assembled, type Metric, shardCount } from '@gauntlet/core';
import pc from 'picocolors';
import type { AuditJson } from '../audit-json.js';
import { interrupted, untilAborted } from '../interrupt.js';
import { measure } from '../metrics.js';
import { createPlugins } from '../plugins.js';
import { prepare } from '../prepare.js';
import { showProgress } from '../progress.js';
import type { AuditRequest } from '../request.js';
import { openRunFolder, type RunFolder } from '../run-folder.js';
import { summarise } from '../summary.js';
import type { Terminal } from '../terminal.js';
import { renderVerdict } from '../verdict.js';

/** Runs `gauntlet audit`: checks everything, attacks, and publishes the verdict. */
export async function audit(request: AuditRequest, version: string, terminal: Terminal): Promise<void> {
  const plugins = createPlugins(terminal.cwd);
  // Apart from the others: they decide no row, so that a finished run can be measured again.
  const metrics = await Promise.all(request.metrics.map(createPlugins(terminal.cwd).metric));
  const { assembled, source, engine, externalData, notices, close } = await untilAborted(
    terminal.signal,
    prepare(request, plugins, terminal),
  );
  try {
    for (const notice of notices) terminal.err(`gauntlet: ${notice}\n`);
    const { plan, dataset } = assembled;
    const versions = { '@gauntlet/cli': version, ...plugins.versions() };
    const folder = request.out ?? join('gauntlet-out', `${parse(plan.model.name).name}-${timestamp()}`);
    const run = await openRunFolder(resolve(terminal.cwd, folder), {
      name: folder,
      // All that decides what the rows will be.
      plan: `${JSON.stringify({ ...plan, engine, externalData, source, input: request.input, versions }, null, 2)}\n`,
      shape: dataset.shape,
      overwrite: request.overwrite,
    });
    const work = { assembled, run, request, folder, versions, metrics };
    const verdict = await runAll(work, terminal).finally(run.close);
    const paint = pc.createColors(terminal.interactive.out && pc.isColorSupported);
    const files = `Files: ${folder} (audit.json, outcomes.jsonl, adversarial.npz, plan.json)`;
    terminal.out(
      request.json
        ? `${JSON.stringify(verdict, null, 2)}\n`
        : `${renderVerdict(verdict, request.epsilons, paint)}\n\n${files}\n`,
    );
  } finally {
    await close();
  }
}

interface Work {
  readonly assembled: Assembled;
  readonly run: RunFolder;
  readonly request: AuditRequest;
  readonly folder: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly metrics: readonly Metric[];
}

/** Runs what is left of a run, and publishes its results. */
async function runAll(work: Work, terminal: Terminal): Promise<AuditJson> {
  const { assembled, run, request, folder, versions, metrics } = work;
  const { signal, now } = terminal;
  const verdict = (): AuditJson => ({
    ...summarise(assembled, run.rows, { ...versions, node: process.versions.node }),
    ...(metrics.length > 0 && { metrics: measure(metrics, run.rows) }),
  });
  if (run.complete) {
    terminal.err(`gauntlet: ${folder} holds this run, finished: nothing was run again.\n`);
    return verdict();
  }
  const progress = showProgress(shardCount(assembled), run.done.size, {
    write: terminal.err,
    terminal: terminal.interactive.err,
    now,
  });
  try {
    for await (const shard of apply(assembled, { signal, now, done: (key) => run.done.has(key) })) {
      await run.append(shard);
      progress.advance();
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
