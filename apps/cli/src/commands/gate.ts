import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import {
  type AuditFacts,
  type Baseline,
  baselineOf,
  gapsOf,
  judge,
  readBaseline,
  type Status,
  termsOf,
  titleOf,
  type Verdict,
  writeJunit,
  writeMarkdown,
  writeSarif,
  writeText,
} from '@gauntlet/gate';
import pc from 'picocolors';
import { atomically } from '../atomically.js';
import { fitInto } from '../budget.js';
import { checkConfig } from '../check-config.js';
import { auditsOf, type ConfigAudit, criteriaOf } from '../config-audits.js';
import { untilAborted } from '../interrupt.js';
import { loadConfig } from '../load-config.js';
import { metricsOf } from '../metrics.js';
import { createPlugins } from '../plugins.js';
import { prepare, type Prepared } from '../prepare.js';
import { type Lab, recordOf, runPrepared, versionsOf } from '../run-audit.js';
import { recordedPlan } from '../run-folder.js';
import type { Terminal } from '../terminal.js';
import { renderVerdict } from '../verdict.js';

/** What `gauntlet gate` was asked to do. */
export interface GateRequest {
  /** Null: the `gauntlet.config.*` of the working folder. */
  readonly config: string | null;
  /** Where runs and reports go. */
  readonly out: string;
  readonly updateBaseline: boolean;
  /** Seconds that the attacks shall take at most: plans are cut to fit. */
  readonly budget: number | null;
}

/** Runs `gauntlet gate`: audits every model under every threat model, and says whether the thresholds hold. */
export async function gate(request: GateRequest, version: string, terminal: Terminal): Promise<Status> {
  const found = await loadConfig(terminal.cwd, request.config);
  const plugins = createPlugins(found.folder);
  const config = await checkConfig(found, plugins);
  const baselinePath = resolve(found.folder, config.baseline);
  const earlier = await baselineAt(baselinePath, config.baseline);

  const facts = await runAll(
    await auditsOf(config, found.folder, plugins),
    { request, ...found, version },
    terminal,
  );

  const whole = facts.every((one) => gapsOf(one).length === 0);
  const update = request.updateBaseline && whole;
  const baseline = update ? baselineOf(facts) : earlier;
  if (update) await atomically(baselinePath, (to) => writeFile(to, `${JSON.stringify(baseline, null, 2)}\n`));
  const criteria = criteriaOf(config);
  const verdict = judge({ audits: facts, criteria, baseline, baselineName: config.baseline });
  await publish(verdict, { out: request.out, config: found.name, version }, terminal);
  if (update)
    terminal.out(`Baseline: ${config.baseline} was written. Look at what changed in it, and commit it.\n`);
  return verdict.status;
}

async function baselineAt(path: string, name: string): Promise<Baseline | null> {
  try {
    return readBaseline(await readFile(path, 'utf8'), name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

interface Setting {
  readonly request: GateRequest;
  /** Where plugins are looked for first. */
  readonly folder: string;
  readonly version: string;
}

/** Checks all audits before any is run; then runs one after the other. */
async function runAll(
  audits: readonly ConfigAudit[],
  setting: Setting,
  terminal: Terminal,
): Promise<readonly AuditFacts[]> {
  const planned: Planned[] = [];
  try {
    for (const audit of audits) {
      planned.push(await placed(await plan(audit, setting, terminal), setting, terminal));
    }
    const facts: AuditFacts[] = [];
    for (const audit of await fitted(planned, setting.request.budget, terminal)) {
      facts.push(await run(audit, terminal));
    }
    return facts;
  } finally {
    for (const { prepared } of planned) await prepared.close();
  }
}

/** An audit that is checked and ready to run. */
interface Planned extends ConfigAudit {
  readonly prepared: Prepared;
  readonly lab: Lab;
}

async function plan(audit: ConfigAudit, setting: Setting, terminal: Terminal): Promise<Planned> {
  const lab = {
    plugins: createPlugins(setting.folder),
    metrics: await metricsOf(audit.request.metrics, setting.folder),
    version: setting.version,
  };
  const prepared = await untilAborted(terminal.signal, prepare(audit.request, lab.plugins, terminal));
  return { ...audit, prepared, lab };
}

/** Audits that fit into a budget together. */
async function fitted(
  audits: readonly Planned[],
  budget: number | null,
  terminal: Terminal,
): Promise<readonly Planned[]> {
  if (budget === null) return audits;
  const shared = audits.map(({ prepared, request }) => ({ prepared, folder: request.out }));
  const cut = await fitInto(budget, shared, terminal);
  return audits.map((audit, i) => ({ ...audit, prepared: cut[i]! }));
}

/** An audit with the folder of its run. The same plan finds it again, whatever batch size was found fast, and whatever a budget leaves of it. */
async function placed(audit: Planned, { request }: Setting, { cwd }: Terminal): Promise<Planned> {
  const { prepared, lab } = audit;
  const record = {
    ...recordOf(prepared, audit.request, versionsOf(lab)),
    batchSize: null,
    budget: request.budget,
  };
  const key = createHash('sha256').update(JSON.stringify(record)).digest('hex').slice(0, 12);
  const out = join(request.out, `${audit.model}-${audit.threatModel}-${key}`);
  const { plan: own } = prepared.assembled;
  const { batchSize = own.batchSize } = (await recordedPlan(resolve(cwd, out))) ?? {};
  return {
    ...audit,
    request: { ...audit.request, out },
    prepared: { ...prepared, assembled: { ...prepared.assembled, plan: { ...own, batchSize } } },
  };
}

async function run({ request, prepared, lab, ...named }: Planned, terminal: Terminal): Promise<AuditFacts> {
  terminal.err(`gauntlet: ${titleOf(named)}\n`);
  const { verdict, rows, certificates } = await runPrepared(prepared, request, lab, terminal);
  const paint = pc.createColors(terminal.interactive.out && pc.isColorSupported);
  terminal.out(`${renderVerdict(verdict, request.epsilons, paint)}\n\n`);
  return {
    ...named,
    file: prepared.assembled.plan.model,
    terms: termsOf(prepared.assembled, prepared.source),
    versions: versionsOf(lab),
    rows,
    certificates,
  };
}

/** Says the verdict, and writes it for people and programs. */
async function publish(
  verdict: Verdict,
  { out, config, version }: { readonly out: string; readonly config: string; readonly version: string },
  terminal: Terminal,
): Promise<void> {
  const folder = resolve(terminal.cwd, out);
  await mkdir(folder, { recursive: true });
  const files = {
    'gate.md': writeMarkdown(verdict),
    'gate.xml': writeJunit(verdict),
    'gate.sarif': writeSarif(verdict, placeOf(config, terminal.cwd), version),
  };
  for (const [name, text] of Object.entries(files)) {
    await atomically(join(folder, name), (to) => writeFile(to, text));
  }
  terminal.out(
    `${writeText(verdict)}Files: ${out} (${Object.keys(files).join(', ')}, a folder for each run)\n`,
  );
}

/** A file from the working folder, which is that of the repository in a build. */
function placeOf(name: string, cwd: string): string {
  const place = relative(cwd, resolve(cwd, name));
  return place.startsWith('..') || isAbsolute(place) ? name : place.split(sep).join('/');
}
