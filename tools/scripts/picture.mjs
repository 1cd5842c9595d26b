// Draws robust accuracy against epsilon, with its intervals: node tools/scripts/picture.mjs AUDIT.json PICTURE.svg
import { readFileSync, writeFileSync } from 'node:fs';

const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) {
  console.error('Unexpected arguments, expected AUDIT.json PICTURE.svg.');
  process.exit(2);
}
const audit = JSON.parse(readFileSync(from, 'utf8'));

const PLOT = { left: 58, top: 44, width: 600, height: 280 };
const SIZE = { width: 700, height: 382 };
const most = Math.max(...audit.threatModel.epsilons);
const x = (epsilon) => (PLOT.left + (PLOT.width * epsilon) / most).toFixed(1);
const y = (share) => (PLOT.top + PLOT.height * (1 - share)).toFixed(1);
const line = (points) => points.map(([a, b]) => `${x(a)},${y(b)}`).join(' ');

const attacks = [...new Set(audit.results.map(({ attack }) => attack))];
const series = [
  { name: 'worst case', results: audit.worstCase },
  ...attacks.map((attack) => ({
    name: attack.replace(/^attack\//, ''),
    results: audit.results.filter((result) => result.attack === attack),
  })),
];

const colours = ['#cf4a4a', '#b8860b', '#3b82d6', '#2e9e6b', '#9065c9'].map(
  (colour, i) =>
    `    .series-${i} polyline { stroke: ${colour} } .series-${i} polygon, .series-${i} circle { fill: ${colour} }`,
);

const curves = series.map(({ name, results }, i) => {
  const low = results.map(({ epsilon, interval }) => [epsilon, interval[0]]);
  const high = results.map(({ epsilon, interval }) => [epsilon, interval[1]]);
  const middle = results.map(({ epsilon, robustAccuracy }) => [epsilon, robustAccuracy]);
  return [
    `  <g class="series-${i}"><title>${name}</title>`,
    `    <polygon points="${line([...low, ...high.reverse()])}"/>`,
    `    <polyline points="${line(middle)}"/>`,
    ...middle.map((point) => `    <circle cx="${x(point[0])}" cy="${y(point[1])}" r="2.5"/>`),
    '  </g>',
  ].join('\n');
});

const legend = series.map(({ name }, i) => {
  const top = PLOT.top + 14 + 20 * i;
  const left = PLOT.left + PLOT.width - 110;
  return `  <g class="series-${i}"><polyline points="${left},${top} ${left + 26},${top}"/></g><text x="${left + 34}" y="${top + 4}">${name}</text>`;
});

const across = [0, 0.25, 0.5, 0.75, 1].map(
  (share) =>
    `  <line class="grid" x1="${PLOT.left}" x2="${PLOT.left + PLOT.width}" y1="${y(share)}" y2="${y(share)}"/>` +
    `<text class="end" x="${PLOT.left - 8}" y="${Number(y(share)) + 4}">${100 * share}%</text>`,
);
const ticks = Array.from({ length: 5 }, (_, i) => (most * i) / 4).map(
  (epsilon) =>
    `  <text class="middle" x="${x(epsilon)}" y="${PLOT.top + PLOT.height + 20}">${Number(epsilon.toPrecision(3))}</text>`,
);

const { name } = audit.model;
const about = `${name}: robust accuracy on ${audit.data.samples} samples. Bands: 95% intervals; seed ${audit.seed}`;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="${about}">
  <style>
    text { font: 13px system-ui, sans-serif; fill: #6e7781 }
    .end { text-anchor: end } .middle { text-anchor: middle }
    .grid { stroke: #8b949e; stroke-opacity: 0.35 }
    polyline { fill: none; stroke-width: 2 } polygon { fill-opacity: 0.18 }
${colours.join('\n')}
    .series-0 polyline { stroke-width: 5; stroke-opacity: 0.5 }
    @media (prefers-color-scheme: dark) { text { fill: #adbac7 } }
  </style>
  <text x="${PLOT.left}" y="24">${about}</text>
${across.join('\n')}
${ticks.join('\n')}
  <text class="middle" x="${PLOT.left + PLOT.width / 2}" y="${PLOT.top + PLOT.height + 44}">epsilon (${audit.threatModel.norm})</text>
${curves.join('\n')}
${legend.join('\n')}
</svg>
`;
writeFileSync(to, svg);
