import { createHash } from 'node:crypto';
import { type Certified, type Row, runOf, type Verdict as Fate, unexpected, worstCase } from '@gauntlet/core';
import { z } from 'zod';
import type { Terms } from './terms.js';

/** One audit as the gate sees it: a model under a threat model, as the configuration names them. */
export interface AuditFacts {
  readonly model: string;
  readonly threatModel: string;
  /** The file that was attacked. */
  readonly file: { readonly name: string; readonly sha256: string };
  readonly terms: Terms;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  /** What was proven, where anything was to be. */
  readonly certificates?: readonly Certified[];
}

const LETTERS: Readonly<Record<Fate, string>> = {
  held: 'h',
  broken: 'b',
  misclassified: 'm',
  exempt: 'e',
};

const record = z.record(z.string(), z.unknown());
const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** What `gauntlet-baseline.json` holds. */
export const baselineJson = z
  .strictObject({
    version: z.literal(1),
    audits: z.array(
      z.strictObject({
        model: z.string(),
        threatModel: z.string(),
        file: z.strictObject({ name: z.string(), sha256: hash }),
        terms: record.describe('what decides how hard the attacks are, and on which samples they are tried'),
        versions: z.record(z.string(), z.string()),
        ids: hash.describe('SHA-256 of the sample ids, as a JSON list, in order'),
        outcomes: z
          .record(z.string(), z.string().regex(/^[hbme]*$/))
          .describe(
            'for each epsilon a letter for each sample: held, broken by any attack, misclassified, exempt',
          ),
      }),
    ),
  })
  .describe('The outcomes of each sample that a gate compares with');

/** Outcomes of an earlier run, for each sample. */
export type Baseline = z.infer<typeof baselineJson>;

/** An audit of a baseline. */
export type BaselineAudit = Baseline['audits'][number];

/** What is put down of finished audits. */
export const baselineOf = (audits: readonly AuditFacts[]): Baseline => ({
  version: 1,
  audits: audits.map(({ rows, terms, versions, ...named }) => ({
    model: named.model,
    threatModel: named.threatModel,
    file: named.file,
    terms: JSON.parse(JSON.stringify(terms)) as Record<string, unknown>,
    versions: { ...versions },
    ids: hashOfIds(rows),
    outcomes: Object.fromEntries(
      terms.threatModel.epsilons.map((epsilon) => [String(epsilon), lettersOf(rows, epsilon)] as const),
    ),
  })),
});

/**
 * Reads the text of a baseline.
 *
 * @param at the file as the user named it, for messages.
 * @throws GauntletError `input` where it is none.
 */
export function readBaseline(text: string, at: string): Baseline {
  const found = baselineJson.safeParse(json(text));
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  throw unexpected({
    found: `content (${issue!.path.join('.') || 'the whole'}: ${issue!.message})`,
    at,
    expected: 'what gauntlet gate --update-baseline writes',
    remedy: 'Restore the file, or write it again with --update-baseline.',
  });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The samples of rows, in order of their ids: numbers before words. */
function idsOf(rows: readonly Row[]): Row['sample'][] {
  const { attack, surrogate, epsilon } = rows[0] ?? {};
  const first = rows.filter(
    (row) => row.attack === attack && row.surrogate === surrogate && row.epsilon === epsilon,
  );
  return first.map(({ sample }) => sample).sort(byId);
}

const byId = (a: Row['sample'], b: Row['sample']) =>
  typeof a === typeof b ? (a < b ? -1 : Number(a > b)) : typeof a === 'number' ? -1 : 1;

/** Identifies the samples of rows. */
export const hashOfIds = (rows: readonly Row[]): string =>
  createHash('sha256')
    .update(JSON.stringify(idsOf(rows)))
    .digest('hex');

/** The worst case over all attacks at an epsilon, a letter for each sample, in order of their ids. */
export const lettersOf = (rows: readonly Row[], epsilon: number): string =>
  worstCase(rows)
    .filter((row) => row.epsilon === epsilon)
    .sort((a, b) => byId(a.sample, b.sample))
    .map(({ verdict }) => LETTERS[verdict])
    .join('');

/** Why rows and certificates are not all that was planned: what is missing, given twice, or could not be tried. Empty where they are. */
export function gapsOf({
  rows,
  certificates = [],
  terms,
}: Pick<AuditFacts, 'rows' | 'certificates' | 'terms'>): string[] {
  const { epsilons } = terms.threatModel;
  const { samples } = terms.data;
  const attacked = Object.keys(terms.attacks).flatMap((attack) =>
    epsilons.flatMap((epsilon) => {
      const own = rows.filter((row) => runOf(row) === attack && row.epsilon === epsilon);
      const failed = own.filter(({ failure }) => failure !== undefined);
      const at = `${attack} at epsilon ${epsilon}`;
      return [
        ...miscounted(at, own, samples),
        ...(failed.length > 0
          ? [`${at} could not be tried on ${failed.length} of ${samples} samples: ${failed[0]!.failure}.`]
          : []),
      ];
    }),
  );
  const proven = Object.keys(terms.certifiers ?? {}).flatMap((certifier) =>
    epsilons.flatMap((epsilon) => {
      const own = certificates.filter((one) => one.certifier === certifier && one.epsilon === epsilon);
      return miscounted(`${certifier} at epsilon ${epsilon}`, own, samples);
    }),
  );
  return [...attacked, ...proven];
}

function miscounted(at: string, own: readonly Pick<Row, 'sample'>[], samples: number): string[] {
  const distinct = new Set(own.map(({ sample }) => sample)).size;
  return [
    ...(distinct < samples ? [`${at} finished ${distinct} of ${samples} samples.`] : []),
    ...(own.length > samples ? [`${at} has ${own.length} rows for ${samples} samples.`] : []),
  ];
}
