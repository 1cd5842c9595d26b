import { commandOf } from './command.js';
import type { Findings } from './findings.js';
import { html, type Markup } from './markup.js';
import { table } from './tables.js';

/** What decides the rows: name and value of each. */
export function factsOf({
  run: { plan, audit },
}: Findings): readonly (readonly [name: string, value: string])[] {
  const versions = { ...plan.versions, ...audit?.versions };
  return [
    ['Seed', String(plan.seed)],
    [`SHA-256 of ${plan.model.name}`, plan.model.sha256],
    ...Object.entries(plan.externalData).map(([file, hash]) => [`SHA-256 of ${file}`, hash] as const),
    [`Fingerprint of ${plan.data.name}`, plan.data.fingerprint],
    ['Engine', plan.engine],
    ...Object.entries(versions).map(([name, version]) => [name, version] as const),
  ];
}

/** How to reproduce the run: command, seed, hashes, versions. */
export function reproduceSection(findings: Findings): Markup {
  const command = commandOf(findings.run);
  return html`<section aria-labelledby="reproduce">
    <h2 id="reproduce">To reproduce it</h2>
    ${
      command === null
        ? html`<p>
            The run has a detector, fitted on other samples, or a defence of several models: plan.json in its
            folder says what it is made of.
          </p>`
        : html`<p>In a folder with model and data:</p>
            <pre tabindex="0" role="region" aria-label="Command"><code>${command}</code></pre>`
    }
    ${table('What decides the rows', ['Fact', 'Value'], factsOf(findings), [0, 1])}
  </section>`;
}
