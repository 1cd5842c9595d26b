import { count, short } from '@gauntlet/core';
import { far, type Findings, nearestBroken } from './findings.js';
import { html, type Markup } from './markup.js';
import { numbers } from './tables.js';

const BINS = 40;
/** What lies on the edge of a ball belongs to one bin, whichever way float32 rounded it. */
const ROUNDING = 1e-4;
const STRIP = { left: 150, top: 8, width: 534, height: 34, gap: 16 };

/** How far broken samples were moved by each attack: a histogram each, on one axis. */
export function distancesSection({ run, attacks }: Findings): Markup {
  const { norm } = run.plan.threatModel;
  const strips = attacks.map((series) => ({
    name: series.name,
    style: series.style,
    sizes: nearestBroken(series).map(far),
  }));
  const most = Math.max(...strips.map(({ sizes }) => sizes.at(-1) ?? 0));
  const label = `How far each attack moved the samples that it broke, in ${norm}`;
  if (most === 0)
    return html`<section aria-labelledby="distances">
      <h2 id="distances">Distances</h2>
      <p>No sample was broken.</p>
    </section>`;
  const bottom = STRIP.top + strips.length * (STRIP.height + STRIP.gap);
  return html`<section aria-labelledby="distances">
    <h2 id="distances">Distances</h2>
    <figure>
      <div class="wide plot" role="region" aria-label="${label}" tabindex="0">
        <svg
          viewBox="0 0 700 ${bottom + 44}"
          role="img"
          aria-label="${label}; the table below holds the numbers"
        >
          ${strips.map((one, i) => strip(one, most, STRIP.top + i * (STRIP.height + STRIP.gap)))}
          ${[0, 0.25, 0.5, 0.75, 1].map(
            (at) =>
              html`<text class="middle" x="${STRIP.left + STRIP.width * at}" y="${bottom + 12}"
                >${short(at * most)}</text
              >`,
          )}
          <text class="middle" x="${STRIP.left + STRIP.width / 2}" y="${bottom + 36}">
            distance (${norm})
          </text>
        </svg>
      </div>
      <figcaption>
        Each broken sample once for each attack, where that attack moved it least over all epsilons; the long
        mark is the median. An attack that works within a budget spends it, so that its distances gather at
        the epsilons it was run at.
      </figcaption>
    </figure>
    ${numbers(
      `Distances in numbers (${norm})`,
      ['Attack', 'Broken', 'Smallest', 'Lower quartile', 'Median', 'Upper quartile', 'Largest'],
      strips.map(({ name, sizes }) => [
        name,
        count(sizes.length),
        ...[0, 0.25, 0.5, 0.75, 1].map((share) => (sizes.length === 0 ? '-' : short(quantile(sizes, share)))),
      ]),
    )}
  </section>`;
}

interface Strip {
  readonly name: string;
  readonly style: string;
  /** Ascending. */
  readonly sizes: readonly number[];
}

function strip({ name, style, sizes }: Strip, most: number, top: number): Markup {
  const foot = top + STRIP.height;
  const bins = new Array<number>(BINS).fill(0);
  for (const size of sizes) bins[Math.min(BINS - 1, Math.floor((size / most) * BINS + ROUNDING))]!++;
  const tallest = Math.max(...bins, 1);
  const width = STRIP.width / BINS;
  const at = (size: number) => (STRIP.left + (STRIP.width * size) / most).toFixed(1);
  return html`<g class="${style}">
    <text class="end" x="${STRIP.left - 10}" y="${foot - 4}">${clipped(name)}</text>
    <line class="grid" x1="${STRIP.left}" x2="${STRIP.left + STRIP.width}" y1="${foot}" y2="${foot}" />
    ${bins.map((own, i) => {
      if (own === 0) return '';
      const height = Math.max(2, (STRIP.height * own) / tallest);
      return html`<rect
        x="${(STRIP.left + i * width).toFixed(1)}"
        y="${(foot - height).toFixed(1)}"
        width="${(width - 1).toFixed(1)}"
        height="${height.toFixed(1)}"
        ><title>
          ${name}: ${own} from ${short((i * most) / BINS)} to ${short(((i + 1) * most) / BINS)}
        </title></rect
      >`;
    })}
    ${
      sizes.length === 0
        ? html`<text x="${STRIP.left + 6}" y="${foot - 8}">none broken</text>`
        : html`<line
            class="median"
            x1="${at(quantile(sizes, 0.5))}"
            x2="${at(quantile(sizes, 0.5))}"
            y1="${top - 4}"
            y2="${foot + 4}"
          />`
    }
  </g>`;
}

const LONGEST = 18;
const clipped = (name: string) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);

/** Of ascending numbers; between two, the mean by their nearness. */
function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  return sorted[low]! + (at - low) * ((sorted[low + 1] ?? sorted[low]!) - sorted[low]!);
}
