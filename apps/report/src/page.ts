import { count, percent, range, short } from '@gauntlet/core';
import { accuracySection } from './accuracy.js';
import { changesSection } from './changes.js';
import { type Comparison, compare } from './comparison.js';
import { confusionSection } from './confusion.js';
import { coverageSection, threatSection } from './coverage.js';
import { distancesSection } from './distances.js';
import { documentOf } from './document.js';
import { type Findings, findingsOf } from './findings.js';
import type { Gallery } from './gallery.js';
import { html, type Markup } from './markup.js';
import { inScript, pageDataOf } from './page-data.js';
import { measuredSection } from './measured.js';
import { provenSection } from './proven.js';
import { queriesSection } from './queries.js';
import type { Run } from './read-run.js';
import { reproduceSection } from './reproduce.js';
import { verdictOf } from './verdict.js';

/** What a report may show beside the run. */
export interface Beside {
  /** An older run on the same samples. */
  readonly against?: Run | undefined;
  readonly gallery?: Gallery | null | undefined;
}

/**
 * The results of a run as one page of HTML that needs no network.
 *
 * @throws GauntletError `input` for an older run that cannot be compared.
 */
export function renderPage(run: Run, { against, gallery = null }: Beside = {}): string {
  const findings = findingsOf(run);
  const comparison = against === undefined ? null : compare(findings, findingsOf(against));
  return documentOf({
    title: `${run.plan.model.name}: robustness`,
    body: bodyOf(findings, comparison, gallery),
    data: inScript(pageDataOf(findings, comparison, gallery)),
  });
}

const bodyOf = (findings: Findings, comparison: Comparison | null, gallery: Gallery | null): Markup =>
  html`<header>
      <p class="kind">Gauntlet report</p>
      <h1>${findings.run.plan.model.name}</h1>
      <p class="verdict">${verdictOf(findings)}</p>
      ${tiles(findings)}
      <p class="note">
        The intervals are the error of sampling only: an attack that was not run may do better. What was not
        tried is
        <a href="#coverage">listed below</a>.
      </p>
    </header>
    <nav aria-label="Sections">
      <ul>
        ${SECTIONS.filter(([id]) => shown(id, findings, comparison)).map(
          ([id, name]) => html`<li><a href="#${id}">${name}</a></li>`,
        )}
      </ul>
    </nav>
    ${comparison === null ? '' : changesSection(comparison)} ${accuracySection(findings)}
    ${provenSection(findings)} ${distancesSection(findings)} ${queriesSection(findings)}
    ${confusionSection(findings)} ${gallerySection(gallery)}
    <section aria-labelledby="rows">
      <h2 id="rows">All rows</h2>
      <div data-table="rows"></div>
    </section>
    ${measuredSection(findings)} ${threatSection(findings)} ${coverageSection(findings)}
    ${reproduceSection(findings)}`;

/** Whether there is anything in a section. */
const shown = (id: string, { run }: Findings, comparison: Comparison | null): boolean =>
  ({
    changes: comparison !== null,
    proven: run.certificates.length > 0,
    metrics: (run.audit?.metrics ?? []).length > 0,
  })[id] ?? true;

const SECTIONS = [
  ['changes', 'Changes'],
  ['accuracy', 'Accuracy'],
  ['proven', 'Proven'],
  ['distances', 'Distances'],
  ['queries', 'Queries'],
  ['classes', 'Classes'],
  ['gallery', 'Gallery'],
  ['rows', 'All rows'],
  ['metrics', 'Metrics'],
  ['threat', 'Threat model'],
  ['coverage', 'What was run'],
  ['reproduce', 'Reproduce'],
] as const;

const MOST_TILES = 5;

/** The numbers to remember: clean accuracy, and the worst case at the largest epsilons. */
function tiles({ clean, cleanInterval, worst, targeted }: Findings): Markup {
  const name = targeted ? 'not driven to target' : 'robust';
  return html`<dl class="tiles">
    <div>
      <dt>clean</dt>
      <dd>${percent(clean)} <small>${range(cleanInterval)}</small></dd>
    </div>
    ${worst.points.slice(-MOST_TILES).map(
      ({ epsilon, robustAccuracy, interval }) =>
        html`<div>
          <dt>${name} at ${short(epsilon)}</dt>
          <dd>${percent(robustAccuracy)} <small>${range(interval)}</small></dd>
        </div>`,
    )}
  </dl>`;
}

function gallerySection(gallery: Gallery | null): Markup {
  return html`<section aria-labelledby="gallery">
    <h2 id="gallery">Gallery</h2>
    ${
      gallery === null
        ? html`<p>
            The samples are no pictures (one or three channels, 4 by 4 pixels or more), or are not in the
            folder.
          </p>`
        : html`<p>
              Samples that were broken, each once for each attack, by the point that moved it least.
              ${leftOut(gallery)} The change is magnified until its largest value just fits, around grey; how
              many times stands below it.
            </p>
            <div data-gallery class="${gallery.layout.width <= 64 ? 'pixels' : ''}"></div>`
    }
  </section>`;
}

const leftOut = ({ pieces, broken }: Gallery): string =>
  pieces.length === broken
    ? `All ${count(broken)} are here.`
    : `${count(pieces.length)} of ${count(broken)} are here, for each attack the nearest and a spread over the others; ${count(broken - pieces.length)} are left out to keep the page small.`;
