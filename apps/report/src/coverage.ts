import {
  count,
  counted,
  describeBackward,
  describeThreat,
  duration,
  type Row,
  shortName,
} from '@gauntlet/core';
import { type Findings, grouped, tried } from './findings.js';
import { html, type Markup } from './markup.js';
import { planned } from './read-run.js';
import { table } from './tables.js';
import { nameOf } from './words.js';

/** What a reader must know before trusting the numbers: sentences on what was not tried, and why. */
export function caveatsOf({ run, samples, attacks, targeted }: Findings): readonly string[] {
  const { plan, rows, audit } = run;
  const first = [...new Map(rows.map((row) => [row.sample, row])).values()];
  const number = (verdict: string) => first.filter((row) => row.verdict === verdict).length;
  const rejected = first.filter((row) => row.rejected === true).length;
  const failures = grouped(
    rows.filter(({ failure }) => failure !== undefined),
    (row) => `${nameOf(row)}: ${row.failure}`,
  );
  const blind = attacks.some(({ points }) =>
    points.some(({ rows: [row], ...point }) => point.gradients === 0 && point.queries > 0 && !row!.surrogate),
  );
  const norms = ['linf', 'l2', 'l1', 'l0'].filter((norm) => norm !== plan.threatModel.norm);
  const say = (is: boolean, ...sentences: readonly string[]) => (is ? sentences : []);
  return [
    ...say(
      audit === null,
      `The run is not finished: ${count(rows.length)} of ${counted(planned(plan), 'row')} are there.`,
    ),
    ...say(
      number('misclassified') > 0,
      `Not attacked: ${count(number('misclassified'))} of ${counted(samples, 'sample')}, which the model misclassifies anyway.`,
    ),
    ...say(
      number('exempt') > 0,
      `Not attacked: ${count(number('exempt'))} of ${counted(samples, 'sample')}, whose label is the target.`,
    ),
    ...say(
      rejected > 0,
      `The detector turns ${count(rejected)} of ${counted(samples, 'clean sample')} away.`,
    ),
    ...[...failures].map(
      ([why, own]) =>
        `${counted(new Set(own.map(({ sample }) => sample)).size, 'sample')} could not be attacked by ${why}.`,
    ),
    ...(audit?.notRun ?? []).map(({ attack, why }) => `${shortName(attack)} was not run (${why}).`),
    ...say(
      !blind,
      'Every attack that was run follows gradients: where a model hides them, robust accuracy looks higher than it is. Add an attack by scores or labels.',
    ),
    ...say(
      plan.threatModel.queries !== null,
      `No attack asked more than ${count(plan.threatModel.queries ?? 0)} times about a sample.`,
    ),
    ...say(plan.restarts === 1, 'Each attack was run once, with no restart from other random numbers.'),
    `Perturbations in ${norms.slice(0, -1).join(', ')} and ${norms.at(-1)}, ${targeted ? 'untargeted' : 'targeted'} attacks, and attacks beyond those that are listed were not tried.`,
  ];
}

/** The threat model in words. */
export const threatSection = ({ run: { plan } }: Findings): Markup =>
  html`<section aria-labelledby="threat">
    <h2 id="threat">Threat model</h2>
    <p>${describeThreat(plan.threatModel)}</p>
  </section>`;

/** What was run, what was not, and why. */
export function coverageSection(findings: Findings): Markup {
  const { attacks, run } = findings;
  const { defences = [] } = run.plan;
  return html`<section aria-labelledby="coverage">
    <h2 id="coverage">What was run, and what was not</h2>
    ${table(
      'What was run',
      ['Attack', 'Options', 'How', 'Samples tried', 'Queries', 'Gradients', 'Time'],
      attacks.map(({ name, points }) => {
        const rows = points.flatMap((point) => point.rows);
        const total = (of: (point: (typeof points)[number]) => number) =>
          points.reduce((sum, point) => sum + of(point), 0);
        return [
          name,
          optionsOf(findings, rows[0]!),
          resultOf(findings, rows[0]!)?.way ?? 'straight at the model',
          count(new Set(rows.filter(tried).map(({ sample }) => sample)).size),
          count(total(({ queries }) => queries)),
          count(total(({ gradients }) => gradients)),
          duration(total(({ seconds }) => seconds)),
        ];
      }),
      [0, 1, 2],
    )}
    <p>
      ${counted(run.plan.restarts, 'run')} of each attack.
      ${
        defences.length === 0
          ? 'Nothing stands before the model.'
          : html`Before the model stand, the first to see an input first:
            ${defences.map((defence) => html`${shortName(defence.use)} (options: ${optionWords(defence.options) || 'defaults'}; gradients: ${describeBackward(defence)}). `)}`
      }
    </p>
    <ul>
      ${caveatsOf(findings).map((sentence) => html`<li>${sentence}</li>`)}
    </ul>
  </section>`;
}

/** The options of an attack, with their defaults where the run is finished. */
function optionsOf(findings: Findings, row: Row): string {
  const all = resultOf(findings, row)?.options;
  const options = all ?? findings.run.plan.attacks.find(({ use }) => use === row.attack)!.options;
  return optionWords(options) || (all === undefined ? 'defaults' : 'none');
}

const optionWords = (options: Readonly<Record<string, unknown>>) =>
  Object.entries(options)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join(', ');

/** What `audit.json` says of the attack of a row. */
const resultOf = ({ run: { audit } }: Findings, { attack, surrogate }: Row) =>
  audit?.results.find((result) => result.attack === attack && result.on === surrogate);
