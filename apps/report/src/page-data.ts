import { short } from '@gauntlet/core';
import type { Comparison } from './comparison.js';
import { far, type Findings } from './findings.js';
import type { Gallery, Piece } from './gallery.js';
import type { Run } from './read-run.js';
import { fateOf } from './changes.js';
import { classNames, nameOf } from './words.js';

/** What the page's script shows a page of at a time: tables by columns, and the gallery. */
export interface PageData {
  readonly tables: Readonly<Record<string, TableData>>;
  readonly gallery: readonly Card[];
}

interface TableData {
  readonly label: string;
  /** Names of classes by their ids. */
  readonly names?: readonly string[];
  readonly columns: readonly Column[];
}

/** The cells of a column: numbers, or places in a list of words, which can be filtered by. */
interface Column {
  readonly head: string;
  readonly words?: readonly string[];
  /** Whether rows of the first word alone are shown at first. */
  readonly first?: boolean;
  /** Whether its numbers are ids of classes that have names. */
  readonly ids?: boolean;
  readonly cells: readonly (number | string | null)[];
}

interface Card {
  readonly title: string;
  readonly attack: string;
  readonly distance: number;
  readonly lines: readonly string[];
  readonly pictures: readonly { readonly source: string; readonly alt: string; readonly caption: string }[];
}

/** The data of a page. */
export const pageDataOf = (
  { run }: Findings,
  comparison: Comparison | null,
  gallery: Gallery | null,
): PageData => ({
  tables: {
    rows: rowsTable(run),
    ...(comparison && { worse: worseTable(comparison, run) }),
  },
  gallery: gallery?.pieces.map((piece) => cardOf(piece, classNames(run))) ?? [],
});

/** Data as the text of a script element: nothing in it ends the element, or begins a comment. */
export const inScript = (data: PageData): string => JSON.stringify(data).replaceAll('<', String.raw`\u003c`);

/** What a table is told of names of classes, and each of its columns that holds their ids. */
const namesIn = ({ classes }: Pick<Run, 'classes'>) => ({
  names: classes && { names: classes },
  ids: classes && { ids: true },
});

function rowsTable(run: Run): TableData {
  const { rows } = run;
  const { names, ids } = namesIn(run);
  return {
    label: 'Table of all rows',
    ...names,
    columns: [
      { head: 'Sample', cells: rows.map(({ sample }) => sample) },
      choice('Attack', rows.map(nameOf)),
      choice(
        'Epsilon',
        rows.map(({ epsilon }) => short(epsilon)),
      ),
      choice(
        'Outcome',
        rows.map(({ verdict }) => verdict),
      ),
      { head: 'Label', ...ids, cells: rows.map(({ label }) => label) },
      { head: 'Clean answer', ...ids, cells: rows.map(({ clean }) => clean) },
      { head: 'Answer under attack', ...ids, cells: rows.map(({ adversarial }) => adversarial) },
      { head: 'Distance', cells: rows.map((row) => (row.distance === null ? null : rounded(far(row)))) },
      { head: 'Queries', cells: rows.map(({ queries }) => queries) },
    ],
  };
}

function worseTable({ groups }: Comparison, run: Run): TableData {
  const { names, ids } = namesIn(run);
  const changes = groups.flatMap(({ attack, epsilon, worse }) =>
    worse.map((change) => ({ ...change, attack, epsilon })),
  );
  return {
    label: 'Samples that got worse',
    ...names,
    columns: [
      { head: 'Sample', cells: changes.map(({ is }) => is.sample) },
      {
        ...choice(
          'Attack',
          changes.map(({ attack }) => attack),
        ),
        first: true,
      },
      choice(
        'Epsilon',
        changes.map(({ epsilon }) => short(epsilon)),
      ),
      { head: 'Label', ...ids, cells: changes.map(({ is }) => is.label) },
      { head: 'Now', cells: changes.map((change) => fateOf(change, classNames(run))) },
      { head: 'Distance', cells: changes.map(({ is }) => (is.distance === null ? null : rounded(far(is)))) },
    ],
  };
}

function choice(head: string, values: readonly string[]): Column {
  const words = [...new Set(values)];
  const places = new Map(words.map((word, place) => [word, place]));
  return { head, words, cells: values.map((value) => places.get(value)!) };
}

function cardOf({ row, clean, perturbation, adversarial, gain }: Piece, names: (id: number) => string): Card {
  const { sample, label, scores } = row;
  const [from, to] = [names(label), names(row.adversarial)];
  const scored = (of: string, place: 0 | 1) =>
    scores === undefined ? [] : [`score of ${of}: ${scores.clean[place]} → ${scores.adversarial[place]}`];
  const times = gain < 10 ? gain.toFixed(1) : gain.toFixed(0);
  return {
    title: `Sample ${sample}: ${from} → ${to}`,
    attack: nameOf(row),
    distance: rounded(far(row)),
    lines: [
      `${nameOf(row)}, distance ${short(far(row))} (${row.norm}), epsilon ${short(row.epsilon)}`,
      ...scored(from, 0),
      ...scored(to, 1),
    ],
    pictures: [
      { source: clean, alt: `Sample ${sample}, clean`, caption: `label ${from}` },
      {
        source: perturbation,
        alt: `What ${nameOf(row)} adds to it, times ${times}`,
        caption: `change × ${times}`,
      },
      { source: adversarial, alt: `Sample ${sample}, adversarial`, caption: `taken for ${to}` },
    ],
  };
}

const rounded = (value: number) => Number(value.toPrecision(4));
