import { describeThreat, WORST_CASE, worstCase } from '@gauntlet/core';
import metric, { type RobustAccuracy } from '@gauntlet/metric-robust-accuracy';
import { html, type Markup } from './markup.js';
import type { Run } from './read-run.js';

interface Curve {
  readonly attack: string;
  readonly points: readonly (RobustAccuracy & { readonly epsilon: number; readonly samples: number })[];
}

/** The results of a run as one page of HTML, which needs no script and no network. */
export function renderPage(run: Run): string {
  const { plan, rows, finished } = run;
  const curves = curvesOf(run);
  const planned = plan.data.samples * plan.attacks.length * plan.threatModel.epsilons.length;
  const missing = finished ? '' : `The run is not finished: ${rows.length} of ${planned} rows are there. `;
  const { norm } = plan.threatModel;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>${plan.model.name}: robustness</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <main>
          <h1>${plan.model.name}</h1>
          <p class="verdict">${missing}${verdict(run, curves[0]!)}</p>
          <p>The interval is the error of sampling only; an attack that was not run may do better.</p>
          <h2>Accuracy under attack</h2>
          <figure>
            ${chart(curves, norm)}
            <figcaption>
              Robust accuracy against epsilon (${norm}); bands are 95% intervals.
              ${curves.map(({ attack }, i) => html`<span class="key s${i % COLOURS}">${attack}</span> `)}
            </figcaption>
          </figure>
          <details open>
            <summary>The numbers</summary>
            ${table(curves)}
          </details>
          <h2>Threat model</h2>
          <p>${describeThreat(plan.threatModel)}</p>
          <h2>What was run</h2>
          <ul>
            ${plan.attacks.map(({ use, options }) => html`<li>${use} ${JSON.stringify(options)}</li>`)}
          </ul>
          <h2>To reproduce it</h2>
          <dl>
            <dt>Seed</dt>
            <dd>${plan.seed}</dd>
            <dt>${plan.model.name}, SHA-256</dt>
            <dd><code>${plan.model.sha256}</code></dd>
            <dt>${plan.data.name}, SHA-256</dt>
            <dd><code>${plan.data.fingerprint}</code></dd>
            ${Object.entries(plan.versions).map(
              ([name, version]) =>
                html`<dt>${name}</dt>
                  <dd>${version}</dd>`,
            )}
          </dl>
        </main>
      </body>
    </html> `;
  return page.markup;
}

function curvesOf({ rows }: Run): readonly Curve[] {
  const epsilons = [...new Set(rows.map((row) => row.epsilon))].sort((a, b) => a - b);
  const attacks = [...new Set(rows.map((row) => row.attack))];
  const groups = [
    { attack: WORST_CASE, all: worstCase(rows) },
    ...attacks.map((attack) => ({ attack, all: rows.filter((row) => row.attack === attack) })),
  ];
  return groups.map(({ attack, all }) => ({
    attack,
    points: epsilons.flatMap((epsilon) => {
      const own = all.filter((row) => row.epsilon === epsilon);
      return own.length === 0 ? [] : [{ epsilon, samples: own.length, ...metric.over(own) }];
    }),
  }));
}

function verdict({ plan, rows }: Run, { points }: Curve): string {
  const { epsilon, samples, robustAccuracy, interval } = points.at(-1)!;
  const last = [...new Map(rows.map((row) => [row.sample, row])).values()];
  const clean = last.filter((row) => row.clean === row.label).length / last.length;
  return (
    `Of ${samples} samples of ${plan.data.name}, ${percent(clean)} are classified correctly; against all attacks that were run, ` +
    `at epsilon ${short(epsilon)} (${plan.threatModel.norm}), the robust accuracy is ${percent(robustAccuracy)}, 95% interval ${range(interval)}.`
  );
}

const percent = (share: number | null) => (share === null ? '-' : `${(100 * share).toFixed(1)}%`);
const range = ([lo, hi]: readonly [number, number]) => `${percent(lo)} to ${percent(hi)}`;
const short = (value: number) => String(Number(value.toPrecision(4)));

const HEADS = [
  'Attack',
  'Epsilon',
  'Samples',
  'Robust',
  '95% interval',
  'Median distance',
  'Broken',
  'Queries',
];

const table = (curves: readonly Curve[]): Markup =>
  html`<div class="wide" role="region" aria-label="Results" tabindex="0">
    <table>
      <thead>
        <tr>
          ${HEADS.map((head) => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${curves.flatMap(({ attack, points }) =>
          points.map(
            (point) =>
              html`<tr>
                <th scope="row">${attack}</th>
                ${[
                  short(point.epsilon),
                  point.samples,
                  percent(point.robustAccuracy),
                  range(point.interval),
                  point.distance === null ? '-' : short(point.distance.median),
                  point.broken,
                  point.queries,
                ].map((cell) => html`<td>${cell}</td>`)}
              </tr> `,
          ),
        )}
      </tbody>
    </table>
  </div>`;

const COLOURS = 6;
const PLOT = { left: 50, top: 10, width: 570, height: 240 };

function chart(curves: readonly Curve[], norm: string): Markup {
  const epsilons = [...new Set(curves.flatMap(({ points }) => points.map(({ epsilon }) => epsilon)))];
  const most = Math.max(...epsilons) || 1;
  const x = (epsilon: number) => (PLOT.left + (PLOT.width * epsilon) / most).toFixed(1);
  const y = (share: number) => (PLOT.top + PLOT.height * (1 - share)).toFixed(1);
  const line = (points: readonly (readonly [number, number])[]) =>
    points.map(([epsilon, share]) => `${x(epsilon)},${y(share)}`).join(' ');
  return html`<svg
    viewBox="0 0 640 300"
    role="img"
    aria-label="Robust accuracy against epsilon in ${norm}, for each attack and the worst case; the table below holds the numbers"
  >
    ${[0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        html`<line x1="${PLOT.left}" x2="${PLOT.left + PLOT.width}" y1="${y(share)}" y2="${y(share)}" />
          <text class="end" x="${PLOT.left - 8}" y="${Number(y(share)) + 4}">${100 * share}%</text>`,
    )}
    ${epsilons.map((epsilon) => html`<text class="middle" x="${x(epsilon)}" y="272">${short(epsilon)}</text>`)}
    <text class="middle" x="335" y="294">epsilon (${norm})</text>
    ${curves.map(({ points }, i) => {
      const known = points.filter((point) => point.robustAccuracy !== null);
      const low = known.map(({ epsilon, interval }) => [epsilon, interval[0]] as const);
      const high = known.map(({ epsilon, interval }) => [epsilon, interval[1]] as const);
      const middle = known.map(({ epsilon, robustAccuracy }) => [epsilon, robustAccuracy!] as const);
      return html`<g class="s${i % COLOURS}"
        ><polygon points="${line([...low, ...high.reverse()])}" /><polyline points="${line(middle)}" />
        ${middle.map((point) => html`<circle cx="${x(point[0])}" cy="${y(point[1])}" r="3" />`)}</g
      >`;
    })}
  </svg>`;
}

const LIGHT = ['#b3261e', '#8a5a00', '#1f5fae', '#1b7a4b', '#6f42b5', '#5a6068'];
const DARK = ['#ff8a80', '#e6b450', '#79b8ff', '#6fd6a0', '#c4a3ff', '#b4bcc6'];
const variables = (colours: readonly string[]) => colours.map((colour, i) => `--s${i}:${colour}`).join(';');

// Our own text, in which there is nothing to escape.
const STYLE: Markup = {
  markup: `:root{color-scheme:light dark;--ink:#1c2024;--paper:#fff;--rule:#c4c9cf;${variables(LIGHT)}}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#15181c;--rule:#484f58;${variables(DARK)}}}
@media print{:root{--ink:#000;--paper:#fff;--rule:#c4c9cf;${variables(LIGHT)}}figure{break-inside:avoid}}
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:56rem;margin:0 auto;padding:1.5rem}h1,li,dd,dt{overflow-wrap:anywhere}
.verdict{font-size:1.25rem}figure{margin:0}svg{width:100%}svg text{font:13px system-ui,sans-serif;fill:var(--ink)}
svg line{stroke:var(--rule)}.end{text-anchor:end}.middle{text-anchor:middle}
polyline{fill:none;stroke:var(--c);stroke-width:2}polygon{fill:var(--c);fill-opacity:.15}circle{fill:var(--c)}
.key::before{content:"";display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .6em;background:var(--c)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th,.key{white-space:nowrap}th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--rule)}tbody th,th:first-child{text-align:left;font-weight:400}
${LIGHT.map((_, i) => `.s${i}{--c:var(--s${i})}`).join('')}`,
};
