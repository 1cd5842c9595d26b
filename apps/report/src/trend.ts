import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { count, percent, range, short, unexpected } from '@gauntlet/core';
import { chart, legend, styleOf } from './chart.js';
import { documentOf } from './document.js';
import { type Findings, findingsOf } from './findings.js';
import { foreign } from './foreign.js';
import { html } from './markup.js';
import { code, markdownTable, plain } from './markdown-text.js';
import { readRun } from './read-run.js';
import { table } from './tables.js';

/** Runs in the order of time, which is that of the command line, or of the names of the folders in a folder. */
export type Trend = readonly [Findings, ...Findings[]];

/**
 * Reads runs for a trend: each folder is a run, or holds runs, whose names give their order.
 *
 * @param folders the paths, and how the user named them.
 * @throws GauntletError `input` where a folder holds no run, a run is damaged, or runs differ in norm or goal.
 */
export async function readTrend(
  folders: readonly { readonly path: string; readonly name: string }[],
): Promise<Trend> {
  const runs: Findings[] = [];
  for (const one of folders) {
    for (const { path, name } of await runsIn(one)) runs.push(findingsOf(await readRun(path, name)));
  }
  const [first, ...others] = runs as unknown as Trend;
  for (const { run } of others) {
    const differs = (['norm', 'goal'] as const).find(
      (what) =>
        String(JSON.stringify(run.plan.threatModel[what])) !==
        JSON.stringify(first.run.plan.threatModel[what]),
    );
    if (differs !== undefined) {
      throw unexpected({
        found: `other ${differs}`,
        at: run.name,
        expected: `that of ${first.run.name}`,
        remedy: 'Show runs under one threat model together.',
      });
    }
  }
  return [first, ...others];
}

const isRun = (path: string) =>
  stat(join(path, 'plan.json')).then(
    () => true,
    () => false,
  );

async function runsIn(one: { readonly path: string; readonly name: string }) {
  if (await isRun(one.path)) return [one];
  const names = (await readdir(one.path).catch(() => [])).sort();
  const held: { path: string; name: string }[] = [];
  for (const name of names) {
    if (await isRun(join(one.path, name)))
      held.push({ path: join(one.path, name), name: join(one.name, name) });
  }
  if (held.length === 0) throw foreign('no run', one.name);
  return held;
}

/** Robust accuracy over runs, as one page of HTML that needs no network. */
export function renderTrend(trend: Trend): string {
  const epsilons = epsilonsOf(trend);
  const { norm } = trend[0].run.plan.threatModel;
  const lines = epsilons.map((epsilon, i) => ({
    epsilon,
    name: `epsilon ${short(epsilon)}`,
    style: styleOf(i + 1),
  }));
  const place = (i: number) => (trend.length === 1 ? 0.5 : 0.03 + (0.94 * i) / (trend.length - 1));
  const label = `Robust accuracy under the worst case over ${count(trend.length)} runs, for each epsilon in ${norm}`;
  return documentOf({
    title: 'Robustness over runs',
    body: html`<header>
        <p class="kind">Gauntlet report</p>
        <h1>Robustness over ${count(trend.length)} runs</h1>
        <p class="verdict">${latest(trend)}</p>
      </header>
      <section aria-labelledby="trend">
        <h2 id="trend">Robust accuracy, worst case</h2>
        <figure>
          ${chart(
            { label, title: 'run', ticks: trend.map((_, i) => ({ at: place(i), text: String(i + 1) })) },
            lines.map(({ epsilon, style, name }) => ({
              style,
              points: trend.flatMap(({ worst, run }, i) => {
                const point = worst.points.find((one) => one.epsilon === epsilon);
                if (point === undefined || point.robustAccuracy === null) return [];
                const { robustAccuracy: value, interval } = point;
                return [{ at: place(i), value, interval, title: `${run.name}, ${name}: ${percent(value)}` }];
              }),
            })),
          )}
          ${legend(lines)}
          <figcaption>Bands are 95% intervals (Clopper-Pearson), the error of sampling only.</figcaption>
        </figure>
        ${table('Robust accuracy of each run', headsOf(epsilons), rowsOf(trend, epsilons), [0, 1, 2, 3])}
      </section>`,
  });
}

/** Robust accuracy over runs, as Markdown. */
export function renderTrendMarkdown(trend: Trend): string {
  const epsilons = epsilonsOf(trend);
  const rows = rowsOf(trend, epsilons).map(([place, name, model, ...rest]) => [
    place!,
    code(name!),
    code(model!),
    ...rest.map(plain),
  ]);
  return `## Robustness over ${count(trend.length)} runs\n\n${plain(latest(trend))}\n\n${markdownTable(headsOf(epsilons), rows)}\n`;
}

const epsilonsOf = (trend: Trend) =>
  [...new Set(trend.flatMap(({ run }) => run.plan.threatModel.epsilons))].sort((a, b) => a - b);

const headsOf = (epsilons: readonly number[]) => [
  'Run',
  'Folder',
  'Model',
  'Note',
  'Samples',
  'Clean',
  ...epsilons.map((epsilon) => `At ${short(epsilon)}`),
];

const rowsOf = (trend: Trend, epsilons: readonly number[]): string[][] =>
  trend.map(({ run, samples, clean, worst }, i) => [
    String(i + 1),
    basename(run.name),
    `${run.plan.model.name} ${run.plan.model.sha256.slice(0, 8)}`,
    notesOn(trend, i),
    count(samples),
    percent(clean),
    ...epsilons.map((epsilon) => {
      const point = worst.points.find((one) => one.epsilon === epsilon);
      return point === undefined ? '-' : `${percent(point.robustAccuracy)} (${range(point.interval)})`;
    }),
  ]);

/** What makes a run no equal of the one before it. */
function notesOn(trend: Trend, i: number): string {
  const [now, before] = [trend[i]!.run, trend[i - 1]?.run];
  const attacks = ({ plan }: Findings['run']) => JSON.stringify(plan.attacks);
  const notes = [
    ...(now.audit === null ? ['not finished'] : []),
    ...(before && before.plan.data.fingerprint !== now.plan.data.fingerprint ? ['other data'] : []),
    ...(before && attacks(before) !== attacks(now) ? ['other attacks'] : []),
  ];
  return notes.join(', ') || '-';
}

function latest(trend: Trend): string {
  const { run, worst } = trend.at(-1)!;
  const { epsilon, robustAccuracy, interval } = worst.points.at(-1)!;
  const before = trend.at(-2)?.worst.points.find((point) => point.epsilon === epsilon);
  const earlier = before === undefined ? '' : `, after ${percent(before.robustAccuracy)} in the run before`;
  return (
    `The last run, ${basename(run.name)} (${run.plan.model.name}), keeps ${percent(robustAccuracy)} at epsilon ${short(epsilon)} ` +
    `(${run.plan.threatModel.norm}), 95% interval ${range(interval)}${earlier}.`
  );
}
