import { count, describeThreat, shortName } from '@gauntlet/core';
import { caveatsOf } from './coverage.js';
import { findingsOf } from './findings.js';
import { listed, provenTable, reproduced, resultsTable, waysOf } from './markdown.js';
import { code, plain } from './markdown-text.js';
import type { Run } from './read-run.js';
import { verdictOf } from './verdict.js';

/** The section on adversarial robustness of a model card (Mitchell et al. 2019), from a run, in Markdown. */
export function renderModelCard(run: Run): string {
  const findings = findingsOf(run);
  const { plan } = run;
  const attacks = plan.attacks.map(({ use }) => code(shortName(use))).join(', ');
  return `${[
    '## Adversarial robustness',
    plain(verdictOf(findings)),
    `### Metrics and evaluation data`,
    `Robust accuracy with two-sided 95% Clopper-Pearson intervals, on ${count(findings.samples)} samples of ${code(plan.data.name)} ` +
      `(fingerprint ${code(plan.data.fingerprint)}); the model file is ${code(plan.model.name)} (SHA-256 ${code(plan.model.sha256)}).`,
    resultsTable(findings),
    ...waysOf(findings),
    ...provenTable(findings),
    '### Threat model',
    `${plain(describeThreat(plan.threatModel))} Attacks: ${attacks}.`,
    '### Limitations',
    listed([
      'The numbers hold for this file, this data and these attacks; robust accuracy is an upper bound, as an attack that was not run may do better.',
      ...caveatsOf(findings),
    ]),
    '### How to reproduce it',
    reproduced(findings),
  ].join('\n\n')}\n`;
}
