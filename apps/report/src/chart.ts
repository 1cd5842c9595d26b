import { html, type Markup } from './markup.js';

/** One line of a chart. Places and heights are shares of the width and height of the plot. */
export interface Line {
  /** A class, of `styleOf`. */
  readonly style: string;
  readonly points: readonly Spot[];
  /** Whether the value stays until the next point, instead of going straight there. */
  readonly steps?: boolean;
}

/** A point of a line, and the band around it. */
export interface Spot {
  readonly at: number;
  readonly value: number;
  readonly interval?: readonly [lo: number, hi: number];
  /** What is said when a mouse points at it; without, no mark is drawn. */
  readonly title?: string;
}

/** A mark on the horizontal axis. */
export interface Tick {
  readonly at: number;
  readonly text: string;
}

interface Axes {
  /** What the chart shows, for those who do not see it. */
  readonly label: string;
  readonly title: string;
  readonly ticks: readonly Tick[];
}

/** Colours and dashes of lines: of the first, and of the others in turn. */
const STYLES = 8;

/** The class of a line's style: the first stands out. */
export const styleOf = (place: number): string => `s${place === 0 ? 0 : 1 + ((place - 1) % (STYLES - 1))}`;

const PLOT = { left: 52, top: 12, width: 632, height: 250 };
/** Widths of what ticks say, so that none covers another. */
const LETTER = 8;

/** Shares (0% to 100%) over an axis, a line for each of some things, with bands where they have intervals. */
export function chart({ label, title, ticks }: Axes, lines: readonly Line[]): Markup {
  return html`<div class="wide plot" role="region" aria-label="${label}" tabindex="0">
    <svg viewBox="0 0 700 310" role="img" aria-label="${label}; the table below holds the numbers">
      ${[0, 0.25, 0.5, 0.75, 1].map(
        (share) =>
          html`<line
              class="grid"
              x1="${PLOT.left}"
              x2="${PLOT.left + PLOT.width}"
              y1="${y(share)}"
              y2="${y(share)}"
            />
            <text class="end" x="${PLOT.left - 8}" y="${Number(y(share)) + 4}">${100 * share}%</text>`,
      )}
      ${apart(ticks).map(
        ({ at, text }) =>
          html`<line class="tick" x1="${x(at)}" x2="${x(at)}" y1="${y(0)}" y2="${Number(y(0)) + 5}" />
            <text class="middle" x="${x(at)}" y="${Number(y(0)) + 20}">${text}</text>`,
      )}
      <text class="middle" x="${PLOT.left + PLOT.width / 2}" y="304">${title}</text>
      ${[...lines].reverse().map((line) => html`<g class="${line.style}">${band(line)}${stroke(line)}${marks(line)}</g>`)}
    </svg>
  </div>`;
}

/** What lines are called, beside a piece of each. */
export const legend = (lines: readonly { readonly name: string; readonly style: string }[]): Markup =>
  html`<ul class="legend">
    ${lines.map(
      ({ name, style }) =>
        html`<li>
          <svg class="key ${style}" viewBox="0 0 34 10" aria-hidden="true"><polyline points="1,5 33,5" /></svg
          >${name}
        </li>`,
    )}
  </ul>`;

const x = (at: number) => (PLOT.left + PLOT.width * at).toFixed(1);
const y = (share: number) => (PLOT.top + PLOT.height * (1 - share)).toFixed(1);
const path = (points: readonly (readonly [at: number, share: number])[]) =>
  points.map(([at, share]) => `${x(at)},${y(share)}`).join(' ');

/** The corners of a line through points: where it goes in steps, also those below or above each. */
const corners = (points: readonly (readonly [at: number, value: number])[], steps = false) =>
  points.flatMap(([at, value], i) => {
    const before = points[i - 1];
    const here = [at, value] as const;
    return steps && before !== undefined ? [[at, before[1]] as const, here] : [here];
  });

function stroke({ points, steps }: Line): Markup {
  const way = corners(
    points.map(({ at, value }) => [at, value]),
    steps,
  );
  return html`<polyline points="${path(way)}" />`;
}

function band({ points, steps }: Line): Markup | '' {
  const known = points.filter(({ interval }) => interval !== undefined);
  if (known.length < 2) return '';
  const edge = (side: 0 | 1) =>
    corners(
      known.map(({ at, interval }) => [at, interval![side]]),
      steps,
    );
  return html`<polygon points="${path([...edge(0), ...edge(1).reverse()])}" />`;
}

const marks = ({ points }: Line) =>
  points.map(({ at, value, title }) =>
    title === undefined
      ? ''
      : html`<circle cx="${x(at)}" cy="${y(value)}" r="3.5"><title>${title}</title></circle>`,
  );

/** Leaves ticks out that would cover others; the last one stays. */
function apart(ticks: readonly Tick[]): readonly Tick[] {
  const kept: Tick[] = [];
  for (const tick of [...ticks].sort((a, b) => b.at - a.at)) {
    const next = kept.at(-1);
    const room = next === undefined ? Infinity : (next.at - tick.at) * PLOT.width;
    if (room >= ((tick.text.length + (next?.text.length ?? 0)) / 2 + 1) * LETTER) kept.push(tick);
  }
  return kept;
}
