import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Plan, type Row, unexpected } from '@gauntlet/core';
import { z } from 'zod';

const plan = z.looseObject({
  model: z.looseObject({ name: z.string(), sha256: z.string() }),
  data: z.looseObject({ name: z.string(), fingerprint: z.string(), samples: z.int().min(1) }),
  threatModel: z.looseObject({
    goal: z.looseObject({ kind: z.enum(['untargeted', 'targeted']) }),
    access: z.enum(['gradients', 'scores', 'labels', 'none']),
    confidence: z.number(),
    norm: z.enum(['l0', 'l1', 'l2', 'linf']),
    epsilons: z.array(z.number().min(0)).min(1),
    box: z.tuple([z.number(), z.number()]),
    queries: z.int().nullable(),
  }),
  attacks: z.array(z.looseObject({ use: z.string(), options: z.record(z.string(), z.unknown()) })),
  seed: z.int(),
  versions: z.record(z.string(), z.string()).default({}),
});

const length = z.number().min(0);
const row = z.looseObject({
  sample: z.union([z.int(), z.string()]),
  attack: z.string(),
  norm: z.enum(['l0', 'l1', 'l2', 'linf']),
  epsilon: length,
  label: z.int(),
  target: z.int().nullable(),
  clean: z.int(),
  verdict: z.enum(['broken', 'held', 'misclassified', 'exempt']),
  distance: z.looseObject({ l0: length, l1: length, l2: length, linf: length }).nullable(),
  queries: z.int().min(0),
  gradients: z.int().min(0),
  seconds: length,
});

/** A run, as its folder tells it. */
export interface Run {
  readonly plan: Plan & { readonly versions: Readonly<Record<string, string>> };
  readonly rows: readonly Row[];
  /** Whether `audit.json` was written, which is the last thing that a run does. */
  readonly finished: boolean;
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
  const found = plan.safeParse(json(planText));
  if (!found.success) throw foreign(`plan.json that ${problem(found.error)}`, name);
  const rows = rowsOf((await text(folder, 'outcomes.jsonl')) ?? '', name);
  if (rows.length === 0) throw foreign('run without a finished row', name);
  const finished = (await text(folder, 'audit.json')) !== null;
  return { plan: found.data as unknown as Run['plan'], rows, finished };
}

const foreign = (found: string, at: string) =>
  unexpected({
    found,
    at,
    expected: 'the folder of a run, with results in it',
    remedy: 'Name a folder that gauntlet audit wrote, or go on with its run first.',
  });

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

/** Whole lines only: a run may be writing, or have died over, the last one. */
function rowsOf(from: string, name: string): Row[] {
  const lines = from.slice(0, from.lastIndexOf('\n') + 1).split('\n');
  return lines.slice(0, -1).map((line, i) => {
    const found = row.safeParse(json(line));
    if (found.success) return found.data as unknown as Row;
    throw foreign(`line ${i + 1} of outcomes.jsonl, which ${problem(found.error)},`, name);
  });
}

function problem({ issues: [issue] }: z.ZodError): string {
  const path = issue!.path.join('.');
  return path === '' ? 'is no JSON object' : `has no sound '${path}'`;
}
