import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plan, Row } from '@gauntlet/core';
import { auditSchema, type Audited, type Planned, planSchema, rowSchema } from './run-schema.js';
import { foreign } from './foreign.js';
import type { z } from 'zod';

/** A run, as its folder tells it. */
export interface Run {
  /** The folder as the user named it. */
  readonly name: string;
  readonly plan: Plan & Planned;
  readonly rows: readonly Row[];
  /** What `audit.json` says beside the rows; null while the run is not finished. */
  readonly audit: Audited | null;
}

/**
 * Reads the folder of a finished or unfinished run.
 *
 * @param name the folder as the user named it, for messages.
 * @throws GauntletError `input` where it is no folder of a run, has no rows yet, or is damaged.
 */
export async function readRun(folder: string, name: string): Promise<Run> {
  const planText = await text(folder, 'plan.json');
  if (planText === null) throw foreign('missing plan.json', name);
  const plan = parsed(
    planSchema,
    planText,
    (what) => `plan.json that ${what}`,
    name,
  ) as unknown as Run['plan'];
  const auditText = await text(folder, 'audit.json');
  const audit =
    auditText === null ? null : parsed(auditSchema, auditText, (what) => `audit.json that ${what}`, name);
  const rows = rowsOf((await text(folder, 'outcomes.jsonl')) ?? '', audit !== null, name);
  if (rows.length === 0) throw foreign('run without a finished row', name);
  mustBelong(rows, plan, name);
  if (audit !== null && rows.length < planned(plan)) {
    throw foreign(
      `${rows.length} rows of ${planned(plan)}, though audit.json says that it is finished,`,
      name,
    );
  }
  return { name, plan, rows, audit };
}

/** How many rows a plan gives. */
export const planned = ({ data, attacks, threatModel }: Plan): number =>
  data.samples * attacks.length * threatModel.epsilons.length;

/** Refuses rows that another plan made, and rows that are there twice. */
function mustBelong(rows: readonly Row[], plan: Plan, name: string): void {
  const { norm, epsilons } = plan.threatModel;
  const attacks = new Set(plan.attacks.map(({ use, on }) => JSON.stringify([use, on])));
  const seen = new Set<string>();
  rows.forEach((row, i) => {
    const key = JSON.stringify([row.attack, row.surrogate, row.epsilon, row.sample]);
    const own = attacks.has(JSON.stringify([row.attack, row.surrogate]));
    if (own && row.norm === norm && epsilons.includes(row.epsilon) && !seen.has(key)) seen.add(key);
    else {
      const what = seen.has(key) ? 'is there twice' : 'plan.json did not ask for';
      throw foreign(`line ${i + 1} of outcomes.jsonl, which ${what},`, name);
    }
  });
}

async function text(folder: string, file: string): Promise<string | null> {
  try {
    return await readFile(join(folder, file), 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw cause;
  }
}

function json(from: string): unknown {
  try {
    return JSON.parse(from) as unknown;
  } catch {
    return undefined;
  }
}

/** Whole lines only: a run that is not finished may be writing, or have died over, the last one. */
function rowsOf(from: string, finished: boolean, name: string): Row[] {
  const whole = from.slice(0, from.lastIndexOf('\n') + 1);
  if (finished && whole !== from) throw foreign('outcomes.jsonl that is cut off', name);
  const lines = whole.split('\n').slice(0, -1);
  return lines.map((line, i) => {
    const found = (what: string) => `line ${i + 1} of outcomes.jsonl, which ${what},`;
    return parsed(rowSchema, line, found, name) as unknown as Row;
  });
}

function parsed<T>(schema: z.ZodType<T>, from: string, found: (what: string) => string, name: string): T {
  const result = schema.safeParse(json(from));
  if (result.success) return result.data;
  const path = result.error.issues[0]!.path.join('.');
  throw foreign(found(path === '' ? 'is no JSON object' : `has no sound '${path}'`), name);
}
