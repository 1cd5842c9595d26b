import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certified, Plan, Row } from '@gauntlet/core';
import {
  auditSchema,
  type Audited,
  certificateSchema,
  type Planned,
  planSchema,
  rowSchema,
} from './run-schema.js';
import { foreign } from './foreign.js';
import type { z } from 'zod';

/** A run, as its folder tells it. */
export interface Run {
  /** The folder as the user named it. */
  readonly name: string;
  readonly plan: Plan & Planned;
  readonly rows: readonly Row[];
  readonly certificates: readonly Certified[];
  /** Names of classes by their ids, where they are known. */
  readonly classes?: readonly string[] | undefined;
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
  const linesOf = async <T>(schema: z.ZodType, file: string) =>
    lines<T>(schema, (await text(folder, file)) ?? '', { file, finished: audit !== null, name });
  const rows = await linesOf<Row>(rowSchema, 'outcomes.jsonl');
  const certificates = await linesOf<Certified>(certificateSchema, 'certificates.jsonl');
  if (rows.length === 0) throw foreign('run without a finished row', name);
  mustBelong(rows, plan, name);
  if (audit !== null && rows.length < planned(plan)) {
    throw foreign(
      `${rows.length} rows of ${planned(plan)}, though audit.json says that it is finished,`,
      name,
    );
  }
  const stranger = certificates.findIndex(
    ({ norm, epsilon }) => norm !== plan.threatModel.norm || !plan.threatModel.epsilons.includes(epsilon),
  );
  if (stranger >= 0) {
    throw foreign(`line ${stranger + 1} of certificates.jsonl, which plan.json did not ask for,`, name);
  }
  return { name, plan, rows, certificates, classes: plan.classes, audit };
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
function lines<T>(
  schema: z.ZodType,
  from: string,
  { file, finished, name }: { readonly file: string; readonly finished: boolean; readonly name: string },
): T[] {
  const whole = from.slice(0, from.lastIndexOf('\n') + 1);
  if (finished && whole !== from) throw foreign(`${file} that is cut off`, name);
  return whole
    .split('\n')
    .slice(0, -1)
    .map((line, i) => {
      const found = (what: string) => `line ${i + 1} of ${file}, which ${what},`;
      return parsed(schema, line, found, name) as T;
    });
}

function parsed<T>(schema: z.ZodType<T>, from: string, found: (what: string) => string, name: string): T {
  const result = schema.safeParse(json(from));
  if (result.success) return result.data;
  const path = result.error.issues[0]!.path.join('.');
  throw foreign(found(path === '' ? 'is no JSON object' : `has no sound '${path}'`), name);
}
