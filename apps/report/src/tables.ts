import { type Content, html, type Markup } from './markup.js';

/**
 * A table that scrolls by itself where it is wider than the page. The first cell of each row is its head.
 *
 * @param words the places of columns that hold words: these may break lines, and stand to the left.
 */
export function table(
  label: string,
  heads: readonly string[],
  rows: readonly (readonly Content[])[],
  words: readonly number[] = [0],
): Markup {
  const kind = (place: number) => (words.includes(place) ? 'word' : 'number');
  return html`<div class="wide" role="region" aria-label="${label}" tabindex="0">
    <table>
      <thead>
        <tr>
          ${heads.map((head, i) => html`<th scope="col" class="${kind(i)}">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([head, ...cells]) =>
            html`<tr>
              <th scope="row" class="word">${head!}</th>
              ${cells.map((cell, i) => html`<td class="${kind(i + 1)}">${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** The numbers behind a figure. */
export const numbers = (
  label: string,
  heads: readonly string[],
  rows: readonly (readonly Content[])[],
): Markup =>
  html`<details class="numbers">
    <summary>${label}</summary>
    ${table(label, heads, rows)}
  </details>`;
