import { count, type Row, short } from '@gauntlet/core';
import type { Findings, Series } from './findings.js';
import { html, type Markup } from './markup.js';
import { classNames } from './words.js';

/** Classes beyond this many, those that were left or reached least often, are shown together. */
const MOST_CLASSES = 16;
const SHADES = 8;

/** Where attacks push each class, at the largest epsilon: for the worst case, and for each attack. */
export function confusionSection({ worst, attacks, run }: Findings): Markup {
  const { norm, epsilons } = run.plan.threatModel;
  const broken = brokenAt(worst, epsilons.at(-1)!);
  const names = classNames(run);
  return html`<section aria-labelledby="classes">
    <h2 id="classes">Where classes are pushed</h2>
    ${
      broken.length === 0
        ? html`<p>No sample was broken.</p>`
        : html`<figure>
            ${map('Broken samples by label and adversarial answer, worst case', broken, names)}
            <figcaption>
              Samples broken at epsilon ${short(epsilons.at(-1)!)} (${norm}), each by the point that moved it
              least: the row is its label, the column what the model takes it for.
            </figcaption>
          </figure>`
    }
    ${attacks.map((series) => {
      const own = brokenAt(series, epsilons.at(-1)!);
      return own.length === 0
        ? ''
        : html`<details class="numbers">
            <summary>By ${series.name} alone</summary>
            ${map(`Broken samples by label and adversarial answer, ${series.name}`, own, names)}
          </details>`;
    })}
  </section>`;
}

const brokenAt = ({ points }: Series, epsilon: number): readonly Row[] =>
  points.find((point) => point.epsilon === epsilon)?.rows.filter(({ verdict }) => verdict === 'broken') ?? [];

/** The figure is its own table. */
function map(label: string, broken: readonly Row[], names: (id: number) => string): Markup {
  const { classes, others } = classesOf(broken);
  const place = (id: number) => (classes.includes(id) ? id : OTHERS);
  const heads = others === 0 ? classes : [...classes, OTHERS];
  const pairs = new Map<string, number>();
  for (const row of broken) {
    const key = `${place(row.label)} ${place(row.adversarial)}`;
    pairs.set(key, (pairs.get(key) ?? 0) + 1);
  }
  const most = Math.max(...pairs.values());
  const name = (id: number) => (id === OTHERS ? `${others} others` : names(id));
  return html`<div class="wide" role="region" aria-label="${label}" tabindex="0">
    <table class="map">
      <caption>
        ${label}
      </caption>
      <thead>
        <tr>
          <th scope="col">label</th>
          ${heads.map((id) => html`<th scope="col">${name(id)}</th>`)}
          <th scope="col">in all</th>
        </tr>
      </thead>
      <tbody>
        ${heads.map((label) => {
          const cells = heads.map((answer) => pairs.get(`${label} ${answer}`) ?? 0);
          return html`<tr>
            <th scope="row">${name(label)}</th>
            ${cells.map((own) => html`<td class="h${Math.ceil((SHADES * own) / most)}">${own === 0 ? '·' : count(own)}</td>`)}
            <td>${count(cells.reduce((sum, own) => sum + own, 0))}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

/** No class id: stands for all classes that have no row of their own. */
const OTHERS = -2;

/** The classes that take part most often, in order, and how many more there are. */
function classesOf(broken: readonly Row[]): { readonly classes: readonly number[]; readonly others: number } {
  const often = new Map<number, number>();
  for (const id of broken.flatMap(({ label, adversarial }) => [label, adversarial])) {
    often.set(id, (often.get(id) ?? 0) + 1);
  }
  const ranked = [...often.keys()].sort((a, b) => often.get(b)! - often.get(a)!);
  const classes = ranked.slice(0, MOST_CLASSES).sort((a, b) => a - b);
  return { classes, others: ranked.length - classes.length };
}
