import { count, short, shortName } from '@gauntlet/core';
import type { Findings } from './findings.js';
import { html, type Content, type Markup } from './markup.js';
import { table } from './tables.js';

/** Of a long list so many entries are shown; `audit.json` has all. */
const MOST = 50;

type Measured = NonNullable<NonNullable<Findings['run']['audit']>['metrics']>[number];

/** The values of the metrics that were named, each as it lies. Nothing where there are none. */
export function measuredSection({ run: { audit } }: Findings): Markup | '' {
  const all = audit?.metrics ?? [];
  if (all.length === 0) return '';
  return html`<section aria-labelledby="metrics">
    <h2 id="metrics">More metrics</h2>
    ${all.map(
      (one) =>
        html`<h3>${nameOf(one)}</h3>
          ${valueOf(one.value, nameOf(one))}`,
    )}
  </section>`;
}

/** A metric with what it was folded over. */
export const nameOf = ({ metric, certifier, attack, epsilon }: Measured): string =>
  [
    shortName(metric),
    ...[certifier, attack].flatMap((id) => (id == null ? [] : [`of ${shortName(id)}`])),
    ...(epsilon === null ? [] : [`at ${short(epsilon)}`]),
  ].join(' ');

/** A value that nobody here knows the meaning of: a list of records as a table, a record as one of names and values, the rest as text. */
function valueOf(value: unknown, label: string): Markup {
  if (Array.isArray(value) && value.length > 0 && value.every(isRecord)) {
    const heads = [...new Set(value.flatMap((one) => Object.keys(one)))];
    const rows = value.slice(0, MOST).map((one) => heads.map((head) => textOf(one[head])));
    const words = heads.flatMap((head, i) => (value.some((one) => typeof one[head] === 'number') ? [] : [i]));
    return html`${table(label, heads, rows, [0, ...words])}${left(value.length)}`;
  }
  if (!isRecord(value)) return html`<p>${textOf(value)}</p>`;
  const entries = Object.entries(value);
  const [plain, nested] = [false, true].map((is) => entries.filter(([, one]) => isNested(one) === is)) as [
    typeof entries,
    typeof entries,
  ];
  return html`${
    plain.length === 0
      ? ''
      : html`${table(
          label,
          ['Name', 'Value'],
          plain.slice(0, MOST).map(([name, one]) => [name, textOf(one)]),
        )}${left(plain.length)}`
  }${nested.map(
    ([name, one]) =>
      html`<h4>${name}</h4>
        ${valueOf(one, `${label}: ${name}`)}`,
  )}`;
}

const left = (length: number): Content =>
  length <= MOST ? '' : html`<p class="note">${count(length - MOST)} more are in audit.json.</p>`;

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isNested = (value: unknown) => isRecord(value) || (Array.isArray(value) && value.some(isRecord));

/** A value in a cell: what is nested still is JSON. */
export const textOf = (value: unknown): string => {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number') return short(value);
  if (typeof value === 'string') return value;
  return Array.isArray(value) && !isNested(value) ? value.map(textOf).join(', ') : JSON.stringify(value);
};
