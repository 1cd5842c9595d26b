/** One rule that says whether audits pass, and what it says in words, Markdown, JUnit XML and SARIF. Pure functions. */
export {
  type AuditFacts,
  type Baseline,
  baselineJson,
  baselineOf,
  gapsOf,
  readBaseline,
} from './baseline.js';
export { type Difference, differences } from './differences.js';
export {
  ALPHA,
  type Criterion,
  type Evidence,
  type Finding,
  judge,
  type Status,
  titleOf,
  type Verdict,
} from './judge.js';
export { type Terms, termsOf } from './terms.js';
export { headline, nameOf, writeJunit, writeMarkdown, writeSarif, writeText } from './write.js';
