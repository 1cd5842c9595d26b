// @ts-check
'use strict';

/**
 * @typedef {{ head: string, words?: string[], first?: boolean, ids?: boolean, cells: (number | string | null)[] }} Column
 * @typedef {{ label: string, names?: string[], columns: Column[] }} Table
 * @typedef {{ source: string, alt: string, caption: string }} Picture
 * @typedef {{ title: string, attack: string, distance: number, lines: string[], pictures: Picture[] }} Card
 * @typedef {{ tables: Record<string, Table>, gallery: Card[] }} Data
 */

const ROWS_PER_PAGE = 15;
const CARDS_PER_PAGE = 12;

/** @type {Data} */
const data = JSON.parse(/** @type {HTMLElement} */ (document.getElementById('data')).textContent ?? '');

/**
 * An element with attributes and children; text stays text.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * A labelled choice of which the first is taken.
 *
 * @param {string} name
 * @param {readonly string[]} choices
 * @param {(chosen: number) => void} onChange
 */
function choice(name, choices, onChange) {
  const select = element('select');
  choices.forEach((text, i) => select.append(element('option', { value: String(i) }, text)));
  select.addEventListener('change', () => onChange(Number(select.value)));
  return element('label', {}, `${name} `, select);
}

/**
 * Buttons to leaf through pages, and where one is.
 *
 * @param {string} what
 * @param {number} size
 * @param {(from: number) => void} show
 */
function pager(what, size, show) {
  let [from, total] = [0, 0];
  const status = element('span', { role: 'status', class: 'status' });
  const back = element('button', { type: 'button', 'aria-label': `Previous ${what}` }, 'Previous');
  const on = element('button', { type: 'button', 'aria-label': `Next ${what}` }, 'Next');
  const update = () => {
    const last = Math.min(from + size, total);
    status.textContent =
      total === 0 ? `No ${what}` : `${from + 1} to ${last} of ${total.toLocaleString('en')} ${what}`;
    back.disabled = from === 0;
    on.disabled = last >= total;
    show(from);
  };
  back.addEventListener('click', () => {
    from = Math.max(0, from - size);
    update();
  });
  on.addEventListener('click', () => {
    from += size;
    update();
  });
  return {
    parts: [back, on, status],
    /** @param {number} count */
    restart(count) {
      [from, total] = [0, count];
      update();
    },
  };
}

/**
 * A table that shows a page at a time, sorted by any column, filtered by those that hold few words.
 *
 * @param {HTMLElement} place
 * @param {Table} table
 */
function showTable(place, { label, names = [], columns }) {
  const count = columns[0]?.cells.length ?? 0;
  /** @type {Map<Column, number>} */
  const wanted = new Map();
  /** @type {{ column: Column, up: boolean } | null} */
  let order = null;
  let shown = Array.from({ length: count }, (_, i) => i);

  const rowElement = (/** @type {number} */ row) =>
    element('tr', {}, ...columns.map((column, i) => cellElement(column, row, { head: i === 0, names })));
  const body = element('tbody');
  const pages = pager('rows', ROWS_PER_PAGE, (from) => {
    body.replaceChildren(...shown.slice(from, from + ROWS_PER_PAGE).map(rowElement));
  });

  const update = () => {
    const filters = [...wanted];
    shown = [];
    for (let row = 0; row < count; row++) {
      if (filters.every(([column, word]) => column.cells[row] === word)) shown.push(row);
    }
    if (order !== null) {
      const { column, up } = order;
      const ranks = column.words && ranksOf(column.words);
      const value = (/** @type {number} */ row) =>
        ranks?.[Number(column.cells[row])] ?? column.cells[row] ?? null;
      shown.sort((a, b) => compare(value(a), value(b), up));
    }
    pages.restart(shown.length);
  };

  const heads = columns.map((column) => {
    const button = element('button', { type: 'button' }, column.head);
    const head = element('th', { scope: 'col', class: kindOf(column) }, button);
    button.addEventListener('click', () => {
      const up = !(order?.column === column && order.up);
      order = { column, up };
      for (const other of heads) other.removeAttribute('aria-sort');
      for (const other of heads) other.firstElementChild?.removeAttribute('data-order');
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      button.dataset['order'] = up ? ' ▲' : ' ▼';
      update();
    });
    return head;
  });

  const filters = columns
    .filter(({ words }) => words !== undefined && words.length > 1)
    .map((column) => {
      if (column.first) wanted.set(column, 0);
      const all = { text: 'all', word: null };
      const each = (column.words ?? []).map((text, word) => ({ text, word }));
      const choices = column.first ? [...each, all] : [all, ...each];
      return choice(
        column.head,
        choices.map(({ text }) => text),
        (chosen) => {
          const word = choices[chosen]?.word ?? null;
          if (word === null) wanted.delete(column);
          else wanted.set(column, word);
          update();
        },
      );
    });
  place.append(
    element('div', { class: 'controls' }, ...filters, ...pages.parts),
    element(
      'div',
      { class: 'wide', role: 'region', 'aria-label': label, tabindex: '0' },
      element('table', {}, element('thead', {}, element('tr', {}, ...heads)), body),
    ),
  );
  update();
}

/** @param {Column} column */
const kindOf = ({ words, ids, cells }) =>
  words !== undefined || ids || typeof cells[0] === 'string' ? 'word' : 'number';

/** @param {Column} column @param {number} row @param {{ head: boolean, names: readonly string[] }} how */
const cellElement = (column, row, { head, names }) =>
  element(
    head ? 'th' : 'td',
    { class: kindOf(column), ...(head && { scope: 'row' }) },
    textOf(column, row, names),
  );

/** @param {Column} column @param {number} row @param {readonly string[]} names */
const textOf = ({ words, ids, cells }, row, names) => {
  const cell = cells[row] ?? '-';
  if (ids) return Number(cell) === -1 ? 'none' : (names[Number(cell)] ?? String(cell));
  return words === undefined ? String(cell) : (words[Number(cell)] ?? '-');
};

/**
 * The place of each word when sorted, numbers by size.
 *
 * @param {readonly string[]} words
 */
function ranksOf(words) {
  const sorted = [...words].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return words.map((word) => sorted.indexOf(word));
}

/**
 * Numbers before text; what is missing comes last either way.
 *
 * @param {number | string | null} a
 * @param {number | string | null} b
 * @param {boolean} up
 */
function compare(a, b, up) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const both = typeof a === 'number' && typeof b === 'number';
  const order = both ? a - b : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
  return up ? order : -order;
}

/**
 * Cards, a page at a time.
 *
 * @param {HTMLElement} place
 * @param {readonly Card[]} cards
 */
function showGallery(place, cards) {
  const attacks = [...new Set(cards.map(({ attack }) => attack))];
  let [wanted, far] = [-1, false];
  let shown = [...cards];
  const list = element('ul', { class: 'cards' });
  const pages = pager('pictures', CARDS_PER_PAGE, (from) =>
    list.replaceChildren(...shown.slice(from, from + CARDS_PER_PAGE).map(cardElement)),
  );
  const update = () => {
    shown = cards.filter(({ attack }) => wanted < 0 || attack === attacks[wanted]);
    shown.sort((a, b) => (far ? b.distance - a.distance : a.distance - b.distance));
    pages.restart(shown.length);
  };
  place.append(
    element(
      'div',
      { class: 'controls' },
      choice('Attack', ['all', ...attacks], (chosen) => {
        wanted = chosen - 1;
        update();
      }),
      choice('Order', ['nearest first', 'farthest first'], (chosen) => {
        far = chosen === 1;
        update();
      }),
      ...pages.parts,
    ),
    list,
  );
  update();
}

/** @param {Card} card */
const cardElement = ({ title, lines, pictures }) =>
  element(
    'li',
    {},
    element('h3', {}, title),
    element(
      'div',
      { class: 'triple' },
      ...pictures.map(({ source, alt, caption }) =>
        element('figure', {}, element('img', { src: source, alt }), element('figcaption', {}, caption)),
      ),
    ),
    ...lines.map((line) => element('p', {}, line)),
  );

for (const place of document.querySelectorAll('[data-table]')) {
  if (!(place instanceof HTMLElement)) continue;
  const table = data.tables[place.dataset['table'] ?? ''];
  if (table !== undefined) showTable(place, table);
}
for (const place of document.querySelectorAll('[data-gallery]')) {
  if (place instanceof HTMLElement) showGallery(place, data.gallery);
}
