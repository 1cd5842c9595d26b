/** The command line of Gauntlet, and the form of what it publishes. */
export { type AuditJson, auditJson } from './audit-json.js';
export { EXIT, main } from './main.js';
export type { Terminal } from './terminal.js';
